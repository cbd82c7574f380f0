"""Lists by the ways in which they say from when to when."""

from tests.servers.layouts import TODAY, WEEK, Layout

TIMES = [
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
        "an end before the start",
        [["Server", "From", "To", "Who"], ["gpu1", "2026-11-27", "2026-11-26", "Kim"]],
        [],
        "0 understood, row 2 not: it ends (2026-11-26) before it begins (2026-11-27 00:00)",
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
]
