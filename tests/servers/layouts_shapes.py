"""Lists by their shapes: merged cells, header rows, titles, languages, several lists in a tab."""

from tests.servers.layouts import TODAY, WEEK, Layout

SHAPES = [
    Layout(
        "the server's cell merged, as CSV has it",
        [
            ["Server", "User", "From", "Until"],
            ["gpu1", "Kim", "2026-11-24", "2026-11-27"],
            ["", "Lee", "2026-11-28", "2026-11-28"],
            ["gpu2", "Max", "2026-11-25", "2026-11-25"],
            [],
            ["", "Moe", "2026-11-25", "2026-11-25"],
        ],
        [f"gpu1 Kim {WEEK}", "gpu1 Lee 11-28 00:00 - 11-29 00:00", f"gpu2 Max {TODAY}"],
        "3 understood, row 6 not: no server's name",
    ),
    Layout(
        "the server's cell merged, as Google has it",
        [
            ["Server", "User", "Until"],
            ["gpu1", "Kim", "2026-11-27"],
            [None, "Lee", "2026-11-28"],
            [None, "Max", ""],
        ],
        ["gpu1 Kim … - 11-28 00:00", "gpu1 Lee … - 11-29 00:00", "gpu1 Max … - …"],
        "3 understood",
        merges=["A2:A4"],
    ),
    Layout(
        "two header rows, merged",
        [
            ["Server", "User", "Reservation", None],
            [None, None, "From", "Until"],
            ["gpu1", "Kim", "2026-11-24", "2026-11-27"],
        ],
        [f"gpu1 Kim {WEEK}"],
        "1 understood",
        merges=["A1:A2", "B1:B2", "C1:D1"],
    ),
    Layout(
        "two header rows, as CSV has them",
        [
            ["Server", "User", "Reservation", ""],
            ["", "", "From", "Until"],
            ["gpu1", "Kim", "2026-11-24", "2026-11-27"],
        ],
        [f"gpu1 Kim {WEEK}"],
        "1 understood",
    ),
    Layout(
        "a title above the table",
        [["Server"], [], ["Machine", "Reserved by", "Until"], ["gpu1", "Kim", "2026-11-27"]],
        ["gpu1 Kim … - 11-28 00:00"],
        "1 understood",
    ),
    Layout(
        "a title merged over the table, and remarks below",
        [
            ["Who has which server?", None, None],
            ["Server", "User", "Until"],
            ["gpu1", "Kim", "2026-11-27"],
            ["Please remove old rows", None, None],
            [],
            [None, "Questions to the admin", None],
        ],
        ["gpu1 Kim … - 11-28 00:00"],
        "1 understood",
        merges=["A1:C1", "A4:C4"],
    ),
    Layout(
        "two lists side by side",
        [["Server", "User", "", "Server", "User"], ["gpu1", "Kim", "", "gpu2", "Lee"]],
        ["gpu1 Kim … - …", "gpu2 Lee … - …"],
        "2 understood",
    ),
    Layout(
        "a list for each server, under its name",
        [
            ["gpu1"],
            ["User", "From", "Until"],
            ["Kim", "2026-11-24", "2026-11-27"],
            [],
            ["gpu2"],
            ["User", "From", "Until"],
            ["Lee", "2026-11-25", "2026-11-25"],
        ],
        [f"gpu1 Kim {WEEK}", f"gpu2 Lee {TODAY}"],
        "2 understood",
    ),
    Layout(
        "the headers repeated further down",
        [["Server", "User"], ["gpu1", "Kim"], [], ["Next week"], ["Server", "User"], ["gpu2", "Lee"]],
        ["gpu1 Kim … - …", "gpu2 Lee … - …"],
        "2 understood",
    ),
    Layout(
        "in German",
        [
            ["Rechner", "Nutzer", "von", "bis", "Zweck"],
            ["gpu1", "Kim", "24. November 2026", "27. Nov. 2026", "Test"],
        ],
        [f"gpu1 Kim {WEEK}"],
        "1 understood",
        locale="de_DE",
    ),
    Layout(
        "in French",
        [["Serveur", "Utilisateur", "Du", "Au"], ["gpu1", "Kim", "mardi 24 novembre 2026", "27/11/2026"]],
        [f"gpu1 Kim {WEEK}"],
        "1 understood",
        locale="fr_FR",
    ),
    Layout(
        "in Korean",
        [["서버", "사용자", "시작", "종료"], ["gpu1", "김", "2026. 11. 24", "2026년 11월 27일"]],
        [f"gpu1 김 {WEEK}"],
        "1 understood",
        locale="ko_KR",
    ),
    Layout(
        "overlapping reservations",
        [["Server", "User", "Until"], ["gpu1", "Kim", "2026-11-27"], ["gpu1", "Lee", "2026-11-26"]],
        ["gpu1 Kim … - 11-28 00:00", "gpu1 Lee … - 11-27 00:00"],
        "2 understood",
    ),
    Layout(
        "rows that are not understood",
        [
            ["Server", "User", "Until"],
            ["gpu1", "Kim", "next week"],
            ["gpu1", "Kim", "2026-11-27"],
            ["gpu1", "Kim", "next week"],
            ["gpu1", "Kim", "?"],
            ["gpu1", "Kim", "for ever"],
            ["gpu1", "Kim", "Nov 27"],
        ],
        ["gpu1 Kim … - 11-28 00:00"],
        "1 understood, rows 2, 4 not: no date in 'next week'; row 5 not: no date in '?'; "
        "row 6 not: no date in 'for ever'; row 7 not: no year in 'Nov 27'",
    ),
]
