"""Pictures in and out.

pictures       `load`, `save`, `load_map`, `save_map`: what everyone uses, over all formats
reader         which decoder takes a file
formats        which file type holds what, and the error
output         what can be written where, and files that appear only when they are complete
exif           lens data, orientation, the EXIF block;  metadata: XMP, IPTC, text, resolution;  profiles, tone_curves: ICC
raw            cameras' raw files, where the extra `photo` is installed
stored_depth   depth that phones store in a photo, and renderers in an EXR;  apple_depth: an iPhone's
xmp            metadata that describes it
heif           lets Pillow read HEIC, where the extra `photo` is installed, and finds depth in it
directories    tags with values, as TIFF and EXIF hold them
clips          clips by PyAV, frame after frame
guard          the largest picture that is read, what decoders raise
png16, tiff, tiff_writer, pfm, exr     formats that Pillow does not do in full, from bytes to arrays and back
"""
