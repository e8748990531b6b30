"""What wakes up by itself: one file a job."""
