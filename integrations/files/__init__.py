"""Files that old systems leave and fetch: CSV, XML and fixed width, in folders and over SFTP."""
