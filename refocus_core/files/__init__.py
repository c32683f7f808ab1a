"""Pictures in and out: file formats, EXIF and colour profiles. The public functions are those of `pictures`."""
