"""A film that is open: any of its frames painted at once, under edits that change all the time."""
