// Bodies that rules ask to be kept, with what the configuration leaves out.

import { join } from 'node:path';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { CapturedDocument } from './captured-schema.ts';

export interface CapturedSettings {
  readonly directory: string;
  readonly keepDays: number;
  readonly keepBytes: number;
  /** What seals the keys of days: a source, or a file of the gateway's own. */
  readonly key: { readonly source: PlainSourceConfig } | { readonly file: string };
}

const keepDaysDefault = 7;
const keepBytesDefault = 1024 ** 3;

export interface CapturedPlaces {
  readonly absolute: (path: string) => string;
  readonly stateDirectory: string;
}

export function capturedSettings(
  { directory, keepDays, keepBytes, source }: CapturedDocument = {},
  { absolute, stateDirectory }: CapturedPlaces,
): CapturedSettings {
  return {
    directory: directory === undefined ? join(stateDirectory, 'captured') : absolute(directory),
    keepDays: keepDays ?? keepDaysDefault,
    keepBytes: keepBytes ?? keepBytesDefault,
    key:
      source === undefined
        ? { file: join(stateDirectory, 'captured.key') }
        : { source: plainSourceSettings(source, absolute) },
  };
}
