"""The lab's own Google spreadsheet, behind the Sheet seam."""
