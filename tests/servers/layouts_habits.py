"""Habits of labs beside plain rows: half-days, states, sums, notes, a second table."""

from tests.servers.layouts import TODAY, WEEK, Layout

HABITS = [
    Layout(
        "half-days in a column of their own",
        [
            ["Server", "Date", "Half-day", "Who"],
            ["gpu1", "2026-11-26", "AM", "Kim"],
            ["gpu1", "2026-11-26", "Nachmittag", "Lee"],
            ["gpu2", "2026-11-25", "all day", "Max"],
            ["gpu3", "2026-11-25", "evening", "Moe"],
        ],
        [
            "gpu1 Kim 11-26 00:00 - 11-26 12:00",
            "gpu1 Lee 11-26 12:00 - 11-27 00:00",
            f"gpu2 Max {TODAY}",
        ],
        "3 understood, row 5 not: no time in 'evening'",
    ),
    Layout(
        "a column of states",
        [
            ["Server", "User", "From", "Until", "Status"],
            ["gpu1", "Kim", "2026-11-24", "2026-11-27", "confirmed"],
            ["gpu1", "Lee", "2026-11-24", "2026-11-27", "Cancelled"],
            ["gpu2", "Max", "2026-11-24", "2026-11-27", "pending"],
        ],
        [f"gpu1 Kim {WEEK}", f"gpu2 Max {WEEK}"],
        "2 understood, row 4 doubtful: 'pending' beside it, and it counts",
    ),
    Layout(
        "what is not approved yet",
        [
            ["Server", "User", "From", "Until", "Approved?"],
            ["gpu1", "Kim", "2026-11-24", "2026-11-27", "yes"],
            ["gpu2", "Max", "2026-11-24", "2026-11-27", "no"],
        ],
        [f"gpu1 Kim {WEEK}", f"gpu2 Max {WEEK}"],
        "2 understood, row 3 doubtful: 'no' beside it, and it counts",
    ),
    Layout(
        "half a period in a column of days",
        [["Server", "When", "Who"], ["gpu1", "from 25 Nov 2026", "Kim"], ["gpu2", "Nov 25 - 27", "Lee"]],
        [],
        "0 understood, row 2 not: 'from 25 Nov 2026' is no day; row 3 not: no date in 'Nov 25 - 27'",
    ),
    Layout(
        "a row of sums, and notes below",
        [
            ["Server", "User", "From", "Until"],
            ["gpu1", "Kim", "2026-11-24", "2026-11-27"],
            ["Total:", "12", "", ""],
            [],
            ["Please remove your row when you are done!", "", "", ""],
            ["gpu3", "(only for deadlines)", "", ""],
        ],
        [f"gpu1 Kim {WEEK}"],
        "1 understood, row 6 not: no name in '(only for deadlines)'",
    ),
    Layout(
        "a second table with other headers",
        [
            ["Server", "User", "From", "Until"],
            ["gpu1", "Kim", "2026-11-24", "2026-11-27"],
            [],
            ["Booked by", "Machine", "Start", "End"],
            ["Lee", "gpu3", "2026-11-24", "2026-11-27"],
        ],
        [f"gpu1 Kim {WEEK}", f"gpu3 Lee {WEEK}"],
        "2 understood",
    ),
    Layout(
        "server and person the wrong way round",
        [["Server", "User", "Until"], ["Kim", "gpu1", "2026-11-27"], ["gpu2", "gpu1", "2026-11-27"]],
        ["gpu2 gpu1 … - 11-28 00:00"],
        "1 understood, row 2 not: 'gpu1' is a server and no person",
    ),
    Layout(
        "a log of taking and returning",
        [
            ["Timestamp", "Server", "Action", "User"],
            ["2026-11-24 09:00", "gpu1", "take", "Kim"],
            ["2026-11-24 18:00", "gpu2", "returned", "Lee"],
        ],
        ["gpu1 Kim … - …"],
        "1 understood, row 1 doubtful: the dates in column 'Timestamp' are not used",
    ),
    Layout(
        "a grid of colours",
        [["Server", "2026-11-25", "2026-11-26"], ["gpu1", "", ""], ["gpu2", "", ""]],
        [],
        "0 understood",
        remark="colours are not read",
    ),
]
