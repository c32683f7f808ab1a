/** The picture of a Load Image node before this one, which is shown until the first run. */

import { loadPicture } from "../ui/files";

export class SourcePhoto {
  private url: string | null = null;
  private loaded: HTMLImageElement | null = null;

  constructor(private readonly onChange: () => void) {}

  get image(): HTMLImageElement | null {
    return this.loaded;
  }

  /** Show the picture at an address; null: none. */
  show(url: string | null): void {
    if (url === this.url) return;
    this.url = url;
    this.loaded = null;
    if (url)
      loadPicture(url).then(
        (image) => {
          if (url !== this.url) return;
          this.loaded = image;
          this.onChange();
        },
        () => undefined, // Load Image shows that its file is missing
      );
    this.onChange();
  }
}
