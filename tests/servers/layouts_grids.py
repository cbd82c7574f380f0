"""Week grids."""

from tests.servers.layouts import OF_THIS_WEEK, TODAY, Layout

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
