"""Reservations as labs lay them out, and what Sheetrack understands of each.

The lab has the servers gpu1 to gpu4, and it is noon of Wednesday, 2026-11-25, in Berlin.
"""

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from backend.servers.reservation import Understood, summary
from backend.sheets.content import Value

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 12, tzinfo=BERLIN)
SERVERS = ("gpu1", "gpu2", "gpu3", "gpu4")
WHICH_GPUS = "which GPUs is not clear, so the whole server is reserved; write them like 'GPU 2' or '0-3'"


@dataclass(frozen=True)
class Layout:
    name: str
    rows: list[list[Value]]
    reserved: list[str]
    """Server, person, `MM-DD HH:MM` of start and end, GPUs."""
    told: str
    locale: str = ""
    """Of a spreadsheet; layouts with one are not tried as CSV, which has none."""
    merges: list[str] = field(default_factory=list)
    """Such as `A2:A4`; a CSV file knows none of them, and so is not tried either."""
    remark: str = ""
    servers: tuple[str, ...] = SERVERS


def shown(found: Understood) -> list[str]:
    lines = []
    for one in found.reservations:
        times = [f"{at:%m-%d %H:%M}" if at else "…" for at in (one.start, one.end)]
        gpus = "" if one.gpus is None else f" GPU {','.join(map(str, one.gpus))}"
        lines.append(f"{one.server} {one.person} {times[0]} - {times[1]}{gpus}")
    return lines


def told(found: Understood) -> str:
    return summary(found)


WEEK = "11-24 00:00 - 11-28 00:00"
TODAY = "11-25 00:00 - 11-26 00:00"
OF_THIS_WEEK = "The days of the week are read as those of the current week"
NO_PEOPLE = "has no column of people, and so reserves nothing"

LISTS = [
    Layout(
        "a row each",
        [["Server", "User", "From", "Until"], ["gpu1", "Kim", "2026-11-24", "2026-11-27"]],
        [f"gpu1 Kim {WEEK}"],
        "1 understood",
    ),
    Layout(
        "a row each, dates as a spreadsheet stores them",
        [
            ["Server", "User", "From", "Until"],
            ["gpu1", "Kim", 46350, 46353],
            ["gpu2", "Lee", 46350.5, 46352.75],
        ],
        [f"gpu1 Kim {WEEK}", "gpu2 Lee 11-24 12:00 - 11-26 18:00"],
        "2 understood",
        locale="en_US",
    ),
    Layout(
        "an end that is open",
        [["Server", "User", "From", "Until"], ["gpu1", "Kim", "2026-11-24", ""], ["gpu2", "Lee", "", ""]],
        ["gpu1 Kim 11-24 00:00 - …", "gpu2 Lee … - …"],
        "2 understood",
    ),
    Layout(
        "a row a day",
        [["Date", "Server", "User"], ["2026-11-25", "gpu1", "Kim"], ["2026-11-26", "gpu1", "Lee"]],
        [f"gpu1 Kim {TODAY}", "gpu1 Lee 11-26 00:00 - 11-27 00:00"],
        "2 understood",
    ),
    Layout(
        "a row a day, the day written once",
        [
            ["Date", "Server", "User"],
            ["2026-11-25", "gpu1", "Kim"],
            ["", "gpu2", "Lee"],
            [],
            ["", "gpu3", "Max"],
        ],
        [f"gpu1 Kim {TODAY}", f"gpu2 Lee {TODAY}"],
        "2 understood, row 5 not: no date",
    ),
    Layout(
        "a date with times",
        [
            ["Server", "Date", "From", "To", "Who"],
            ["gpu1", "2026-11-25", "9:00", "17:00", "Kim"],
            ["gpu1", "2026-11-25", "17:00", "", "Lee"],
            ["gpu2", "2026-11-25", "", "9am", "Max"],
            ["gpu3", "2026-11-25", "22", "24:00", "Max"],
            ["gpu4", "2026-11-25", "17:00", "9:00", "Max"],
        ],
        [
            "gpu1 Kim 11-25 09:00 - 11-25 17:00",
            "gpu1 Lee 11-25 17:00 - 11-26 00:00",
            "gpu2 Max 11-25 00:00 - 11-25 09:00",
            "gpu3 Max 11-25 22:00 - 11-26 00:00",
        ],
        "4 understood, row 6 not: it ends (2026-11-25 09:00) before it begins (2026-11-25 17:00)",
    ),
    Layout(
        "a date with times as a spreadsheet stores them",
        [["Server", "Date", "From", "To", "Who"], ["gpu1", 46351, 0.375, 0.5, "Kim"]],
        ["gpu1 Kim 11-25 09:00 - 11-25 12:00"],
        "1 understood",
    ),
    Layout(
        "a date and a slot",
        [
            ["Server", "Date", "Time", "Who"],
            ["gpu1", "25.11.2026", "9-12", "Kim"],
            ["gpu1", "25.11.2026", "soon", "Lee"],
        ],
        ["gpu1 Kim 11-25 09:00 - 11-25 12:00"],
        "1 understood, row 3 not: no time in 'soon'",
    ),
    Layout(
        "dates and times in columns of their own",
        [
            ["Server", "User", "Start date", "Start time", "End date", "End time"],
            ["gpu1", "Kim", "2026-11-24", "9:00", "2026-11-27", "17:00"],
            ["gpu2", "Lee", "2026-11-24", "", "2026-11-27", ""],
            ["gpu3", "Max", "2026-11-24", "early", "2026-11-27", ""],
        ],
        ["gpu1 Kim 11-24 09:00 - 11-27 17:00", f"gpu2 Lee {WEEK}"],
        "2 understood, row 4 not: no time in 'early'",
    ),
    Layout(
        "a length of time in place of an end",
        [
            ["Server", "User", "Start", "Duration"],
            ["gpu1", "Kim", "2026-11-24", "4 days"],
            ["gpu2", "Lee", "2026-11-25 9:00", "3 h"],
            ["gpu3", "Max", "2026-11-25", "long"],
            ["gpu3", "Max", "", "3 days"],
        ],
        [f"gpu1 Kim {WEEK}", "gpu2 Lee 11-25 09:00 - 11-25 12:00"],
        "2 understood, row 4 not: no length of time in 'long'; row 5 not: no date",
    ),
    Layout(
        "the answers of a form",
        [
            ["Timestamp", "Email Address", "Name", "Which server?", "From when?", "Until when?"],
            ["2026-11-20 10:00:00", "kim@lab.example", "Kim Lee", "gpu1", "2026-11-24", "until 2026-11-27"],
        ],
        [f"gpu1 Kim Lee {WEEK}"],
        "1 understood",
    ),
    Layout(
        "times without a date",
        [["Server", "User", "From", "To"], ["gpu1", "Kim", "9:00", "17:00"]],
        [],
        "0 understood, row 2 not: no date in '9:00'",
    ),
    Layout(
        "a period in one cell",
        [
            ["Server", "Who", "When"],
            ["gpu1", "Kim", "2026-11-24 - 2026-11-27"],
            ["gpu1", "Kim", "24.-27.11.2026"],
            ["gpu1", "Kim", "24.11. - 27.11.2026"],
            ["gpu1", "Kim", "Nov 24-27, 2026"],
            ["gpu1", "Kim", "24–27 November 2026"],
            ["gpu1", "Kim", "24 Nov to 27 Nov 2026"],
            ["gpu1", "Kim", "2026-11-25 9:00-12:00"],
            ["gpu1", "Kim", "next week"],
        ],
        [*[f"gpu1 Kim {WEEK}"] * 6, "gpu1 Kim 11-25 09:00 - 11-25 12:00"],
        "7 understood, row 9 not: no date in 'next week'",
    ),
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
        "a column of GPUs",
        [
            ["Server", "GPUs", "User", "Until"],
            ["gpu1", "0-3", "Kim", "2026-11-27"],
            ["gpu1", "4,5", "Lee", "2026-11-27"],
            ["gpu1", "GPU 6", "Max", ""],
            ["gpu2", "all", "Moe", ""],
            ["gpu2", "the big ones", "Ann", ""],
        ],
        [
            "gpu1 Kim … - 11-28 00:00 GPU 0,1,2,3",
            "gpu1 Lee … - 11-28 00:00 GPU 4,5",
            "gpu1 Max … - … GPU 6",
            "gpu2 Moe … - …",
        ],
        "4 understood, row 6 not: no GPUs in 'the big ones'",
    ),
    Layout(
        "GPUs behind the server's name",
        [
            ["Server", "User"],
            ["gpu1:0-3", "Kim"],
            ["gpu1 (GPU 4)", "Lee"],
            ["gpu1:5, gpu2:0,1", "Max"],
            ["gpu2 #2", "Moe"],
        ],
        [
            "gpu1 Kim … - … GPU 0,1,2,3",
            "gpu1 Lee … - … GPU 4",
            "gpu1 Max … - … GPU 5",
            "gpu2 Max … - … GPU 0,1",
            "gpu2 Moe … - … GPU 2",
        ],
        "4 understood",
    ),
    Layout(
        "server and GPUs in a column called GPU",
        [["GPU", "User"], ["gpu1:0-3", "Kim"], ["gpu1:4-7", "Lee"]],
        ["gpu1 Kim … - … GPU 0,1,2,3", "gpu1 Lee … - … GPU 4,5,6,7"],
        "2 understood",
    ),
    Layout(
        "a column with numbers or models of GPUs",
        [
            ["Server", "GPUs", "User"],
            ["gpu1", 8, "Kim"],
            ["gpu2", "4x A100", "Lee"],
            ["gpu3", "RTX 4090", "Max"],
        ],
        ["gpu1 Kim … - …", "gpu2 Lee … - …", "gpu3 Max … - …"],
        f"3 understood, row 2 doubtful: {WHICH_GPUS}",
    ),
    Layout(
        "several servers in a cell",
        [
            ["Server", "User"],
            ["gpu1, gpu2", "Kim"],
            ["gpu1 + gpu3", "Lee"],
            ["gpu2-gpu4", "Max"],
            ["gpu1\ngpu4", "Moe"],
            ["gpu1, gpx", "Ann"],
            ["all servers", "Bob"],
        ],
        [
            *("gpu1 Kim … - …", "gpu2 Kim … - …", "gpu1 Lee … - …", "gpu3 Lee … - …"),
            *("gpu2 Max … - …", "gpu3 Max … - …", "gpu4 Max … - …", "gpu1 Moe … - …", "gpu4 Moe … - …"),
            *("gpu1 Bob … - …", "gpu2 Bob … - …", "gpu3 Bob … - …", "gpu4 Bob … - …"),
        ],
        "5 understood, row 6 not: no server is called 'gpx'",
    ),
    Layout(
        "a server list without people",
        [["Server", "CPU", "GPU", "IP"], ["gpu1", "64 cores", "4x A100", "10.0.0.1"]],
        [],
        "0 understood",
        remark=NO_PEOPLE,
    ),
    Layout(
        "what is not a person",
        [
            ["Server", "User", "Until"],
            *[
                ["gpu1", word, "next week"]
                for word in ("-", "–", "free", "none", "Maintenance", "N/A", "FALSE", "(free)")
            ],
            ["gpu2", "TRUE", ""],
            ["gpu2", "?", ""],
            ["gpu2", "x", ""],
            ["gpu3", "Kim", ""],
        ],
        ["gpu3 Kim … - …"],
        "1 understood, row 10 not: no name in 'TRUE'; row 11 not: no name in '?'; row 12 not: no name in 'x'",
    ),
    Layout(
        "boxes to tick",
        [["Server", "Who"], ["gpu1", False], ["gpu2", True]],
        [],
        "0 understood, row 3 not: no name in 'True'",
    ),
    Layout(
        "names that are written in other ways",
        [
            ["Server", "User"],
            ["gpu1 (10.0.0.1)", "Kim"],
            ["gpu2.lab", "Kim"],
            ["GPU 3", "Kim"],
            ["gpu04", "Kim"],
            ["gup1", "Kim"],
            ["see the other sheet", "Kim"],
        ],
        ["gpu1 Kim … - …", "gpu2 Kim … - …", "gpu3 Kim … - …", "gpu4 Kim … - …"],
        "4 understood, row 6 not: no server is called 'gup1'; the nearest is gpu1; "
        "row 7 not: no server is called 'see the other sheet'",
    ),
    Layout(
        "numbers as names",
        [
            ["Server", "User"],
            ["01", "Kim"],
            ["1-2", "Lee"],
            ["1e3", "Max"],
            [1000, "Moe"],
            [1, "Ann"],
            [46024, "Bob"],
        ],
        ["01 Kim … - …", "1-2 Lee … - …", "1e3 Max … - …", "1e3 Moe … - …", "01 Ann … - …"],
        "5 understood, row 7 not: no server is called '46024'",
        locale="de_DE",
        servers=("01", "1-2", "1e3"),
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
            *(["gpu1"], ["User", "From", "Until"], ["Kim", "2026-11-24", "2026-11-27"], []),
            *(["gpu2"], ["User", "From", "Until"], ["Lee", "2026-11-25", "2026-11-25"]),
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
            *[
                ["gpu1", "Kim", end]
                for end in ("next week", "2026-11-27", "next week", "?", "for ever", "Nov 27")
            ],
        ],
        ["gpu1 Kim … - 11-28 00:00"],
        "1 understood, rows 2, 4 not: no date in 'next week'; row 5 not: no date in '?'; "
        "row 6 not: no date in 'for ever'; row 7 not: no year in 'Nov 27'",
    ),
]

GRIDS = [
    Layout(
        "a grid of days and servers",
        [
            ["Date", "gpu1", "gpu2", "gpu3"],
            ["2026-11-24", "Kim", "-", "Lee"],
            ["2026-11-25", "Kim", "free", ""],
            ["2026-11-26", "maintenance", "Max 9-12", "Lee"],
        ],
        [
            "gpu1 Kim 11-24 00:00 - 11-26 00:00",
            "gpu2 Max 11-26 09:00 - 11-26 12:00",
            "gpu3 Lee 11-24 00:00 - 11-25 00:00",
            "gpu3 Lee 11-26 00:00 - 11-27 00:00",
        ],
        "5 understood",
    ),
    Layout(
        "a grid of servers and weekdays",
        [
            ["Server", "Mon", "Tue", "Wed", "Thu", "Fri"],
            ["gpu1", "Kim", "Kim", "Kim", "", "Lee"],
            ["gpu2", "", "x"],
        ],
        ["gpu1 Kim 11-23 00:00 - 11-26 00:00", "gpu1 Lee 11-27 00:00 - 11-28 00:00"],
        "4 understood, row 3 not: no name in 'x'",
        remark=OF_THIS_WEEK,
    ),
    Layout(
        "a grid of servers and weekdays, the week in its title",
        [["Week 49"], ["", "Mon", "Tue", "Wed"], ["gpu1", "Kim", "Kim", "Lee"]],
        ["gpu1 Kim 11-30 00:00 - 12-02 00:00", "gpu1 Lee 12-02 00:00 - 12-03 00:00"],
        "3 understood",
    ),
    Layout(
        "a grid of servers and dates",
        [["Server", "2026-11-24", "2026-11-25"], ["gpu1", "Kim", "Lee"], ["gpu9x", "", ""]],
        ["gpu1 Kim 11-24 00:00 - 11-25 00:00", f"gpu1 Lee {TODAY}"],
        "2 understood",
    ),
    Layout(
        "a grid with weekdays above dates without a year",
        [["Server", "Mon", "Tue", "Wed"], ["", "23.11.", "24.11.", "25.11."], ["gpu1", "Kim", "Kim", "Lee"]],
        ["gpu1 Kim 11-23 00:00 - 11-25 00:00", f"gpu1 Lee {TODAY}"],
        "3 understood, row 2 doubtful: its days have no year, and are read as those nearest to today",
    ),
    Layout(
        "a grid whose weekdays tell the year",
        [["Server", "Mon 23.11.", "Tue 24 Nov", "Wed 11/25"], ["gpu1", "Kim", "Kim", "Lee"]],
        ["gpu1 Kim 11-23 00:00 - 11-25 00:00", f"gpu1 Lee {TODAY}"],
        "3 understood",
    ),
    Layout(
        "a grid with a row for each GPU",
        [
            ["Server", "GPU", "Mon", "Tue"],
            ["gpu1", "0", "Kim", "Kim"],
            ["", "1", "Lee", ""],
            ["gpu2:3", "", "Max", ""],
        ],
        [
            "gpu1 Kim 11-23 00:00 - 11-25 00:00 GPU 0",
            "gpu1 Lee 11-23 00:00 - 11-24 00:00 GPU 1",
            "gpu2 Max 11-23 00:00 - 11-24 00:00 GPU 3",
        ],
        "4 understood",
        remark=OF_THIS_WEEK,
    ),
    Layout(
        "a week below another",
        [["KW 48", "Mo", "Di"], ["gpu1", "Kim", ""], ["KW 49", "Mo", "Di"], ["gpu1", "Lee", ""]],
        ["gpu1 Kim 11-23 00:00 - 11-24 00:00", "gpu1 Lee 11-30 00:00 - 12-01 00:00"],
        "2 understood",
    ),
    Layout(
        "a week whose title is not understood",
        [["The first week of 2027"], ["Server", "Mon", "Tue"], ["gpu1", "Kim", ""]],
        [],
        "0 understood, row 2 not: no week in 'The first week of 2027'",
    ),
    Layout(
        "a grid of merged cells",
        [["Server", 46350, 46351, 46352], ["gpu1", "Kim", None, "Lee"]],
        ["gpu1 Kim 11-24 00:00 - 11-26 00:00", "gpu1 Lee 11-26 00:00 - 11-27 00:00"],
        "3 understood",
        merges=["B2:C2"],
    ),
    Layout(
        "a grid of weekdays down and servers across",
        [["", "gpu1", "gpu2"], ["Monday", "Kim", ""], ["Tuesday", "", "Lee"]],
        ["gpu1 Kim 11-23 00:00 - 11-24 00:00", "gpu2 Lee 11-24 00:00 - 11-25 00:00"],
        "2 understood",
        remark=OF_THIS_WEEK,
    ),
    Layout(
        "a grid of days and GPUs",
        [
            ["Date", "gpu1", "", "gpu2", ""],
            ["", "GPU 0", "GPU 1", "GPU 0", "GPU 1"],
            ["2026-11-25", "Kim", "Lee", "", "Max"],
        ],
        [f"gpu1 Kim {TODAY} GPU 0", f"gpu1 Lee {TODAY} GPU 1", f"gpu2 Max {TODAY} GPU 1"],
        "3 understood",
    ),
    Layout(
        "a grid with slots",
        [["Date", "Time", "gpu1", "gpu2"], ["2026-11-25", "9-12", "Kim", "Lee"], ["", "12-18", "Kim", "Max"]],
        [
            "gpu1 Kim 11-25 09:00 - 11-25 18:00",
            "gpu2 Lee 11-25 09:00 - 11-25 12:00",
            "gpu2 Max 11-25 12:00 - 11-25 18:00",
        ],
        "4 understood",
    ),
    Layout(
        "two grids below each other, and rows without a date",
        [
            ["Date", "gpu1", "gpu2"],
            ["2026-11-25", "Kim", "Lee"],
            ["next week", "Kim", ""],
            [],
            ["Date", "gpu3", "gpu4"],
            ["2026-11-25", "Max", "Moe"],
        ],
        [f"gpu1 Kim {TODAY}", f"gpu2 Lee {TODAY}", f"gpu3 Max {TODAY}", f"gpu4 Moe {TODAY}"],
        "4 understood, row 3 not: no date in 'next week'",
    ),
    Layout(
        "a German week",
        [["Rechner", "Mo", "Di", "Mi", "Do", "Fr"], ["gpu1", "Kim", "Kim", "Lee", "frei", "Wartung"]],
        ["gpu1 Kim 11-23 00:00 - 11-25 00:00", f"gpu1 Lee {TODAY}"],
        "3 understood",
        locale="de_DE",
        remark=OF_THIS_WEEK,
    ),
]
