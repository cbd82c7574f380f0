"""The service that keeps a lab's spreadsheet alive."""
