"""What people see: results, tables, progress."""
