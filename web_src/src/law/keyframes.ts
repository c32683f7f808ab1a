/** Keyframes of focus and aperture: the text form and the easing of refocus_core/defocus/keyframes.py. */

export type Ease = "linear" | "ease" | "hold";
export const EASES: readonly Ease[] = ["ease", "linear", "hold"];

export interface Key {
  frame: number;
  x?: number;
  y?: number;
  distance_m?: number;
  f_number?: number;
  percent?: number;
  ease?: Ease;
}

export type Keyframes = Key[];

/** Whether a key takes part in the track of the focus. */
export function setsFocus(key: Key): boolean {
  return key.x !== undefined || key.distance_m !== undefined;
}

const NUMBERS = ["frame", "x", "y", "distance_m", "f_number", "percent"] as const;

/**
 * Keys in order of their frames, or null for an empty text.
 *
 * @throws Error if the text is not of that form. The node says in full what is wrong with a value.
 */
export function parseKeyframes(text: string): Keyframes | null {
  if (text.trim() === "") return null;
  const data: unknown = JSON.parse(text);
  const keys = typeof data === "object" && data !== null ? (data as { keys?: unknown }).keys : null;
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('not of the form {"keys": [{"frame": 0, …}]}');
  const found = keys.map((key: unknown): Key => {
    if (typeof key !== "object" || key === null) throw new Error("a key is not an object");
    const fields = key as Record<string, unknown>;
    for (const name of NUMBERS)
      if (fields[name] !== undefined && fields[name] !== null && typeof fields[name] !== "number")
        throw new Error(`${name} is not a number`);
    if (!Number.isInteger(fields["frame"]) || (fields["frame"] as number) < 0)
      throw new Error("frame is not a whole number from 0");
    if (fields["ease"] !== undefined && !EASES.includes(fields["ease"] as Ease)) throw new Error("unknown ease");
    if ((fields["x"] === undefined) !== (fields["y"] === undefined)) throw new Error("a key has only one of x and y");
    return Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== null)) as unknown as Key;
  });
  return found.sort((a, b) => a.frame - b.frame);
}

/** One key a line, so that a person can read it and a diff shows what changed. */
export function formatKeyframes(keys: Keyframes): string {
  if (keys.length === 0) return "";
  return `{"keys": [\n${keys.map((k) => `  ${JSON.stringify(k)}`).join(",\n")}\n]}`;
}

/** Value of a track at a frame. */
export function track(keys: Keyframes, value: (key: Key) => number, frame: number): number {
  const after = keys.findIndex((k) => k.frame > frame);
  if (after === 0) return value(keys[0]);
  if (after === -1) return value(keys[keys.length - 1]);
  const a = keys[after - 1];
  const b = keys[after];
  const t = (frame - a.frame) / (b.frame - a.frame);
  const ease = a.ease ?? "ease";
  const eased = ease === "hold" ? 0 : ease === "linear" ? t : t * t * (3 - 2 * t);
  return value(a) + eased * (value(b) - value(a));
}
