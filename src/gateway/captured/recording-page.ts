// A part of a recording for somebody who looks at it: whole lines, bounded.

import { defaultLimits } from '../../protocol/limits.ts';
import type { ReadRecording } from './recording-form.ts';

export interface RecordingPage {
  readonly cast: string;
  readonly bytes: number;
  readonly whole: boolean;
  /** How many lines are before those that follow. */
  readonly next?: number;
}

/** @param from how many lines are left out */
export function recordingPage(
  { text, isWhole, bytes }: ReadRecording,
  from = 0,
  charactersMax: number = defaultLimits.capturedViewBytesMax,
): RecordingPage {
  const lines = text.split('\n').slice(0, -1);
  let [next, characters] = [from, 0];
  for (; next < lines.length; next += 1) {
    const { length = 0 } = lines[next] ?? '';
    // A line that is longer than a page is a page.
    if (characters > 0 && characters + length >= charactersMax) break;
    characters += length + 1;
  }
  const cast = lines.slice(from, next).map((line) => `${line}\n`);
  return {
    cast: cast.join(''),
    bytes,
    whole: isWhole,
    ...(next < lines.length ? { next } : {}),
  };
}
