// Bodies that rules ask to be kept: what they may cost in memory and on disk.

import { KiB, MiB, fixedRow, type LimitRow } from './limit-row.ts';

export const captureLimits = {
  capturedBodyBytes: fixedRow(
    64 * KiB,
    'limit_exceeded',
    'What is kept of a body if the rule has no `bytesMax`: nearly every request and response of an API, and the beginning of a download.',
  ),
  capturedBodyBytesMax: fixedRow(
    1 * MiB,
    'config_invalid',
    'The most that a rule can ask for of each body. It is held in memory until the exchange has ended.',
  ),
  capturedWaitingBytesMax: fixedRow(
    16 * MiB,
    'limit_exceeded',
    'Kept bodies that wait for the disk, at most a quarter for each session. Further ones are dropped and counted, and no exchange waits.',
  ),
  capturedSessionBytesMax: fixedRow(
    64 * MiB,
    'limit_exceeded',
    'Kept bodies of one session in a day, in each process of a gateway, so that one session leaves room for the others.',
  ),
  capturedFilesMax: fixedRow(
    100_000,
    'limit_exceeded',
    'Exchanges whose bodies, and shells whose recordings, a gateway keeps at once, one file each. Further bodies are dropped and counted, and no further shell is opened.',
  ),
  capturedRecordingBytesMax: fixedRow(
    16 * MiB,
    'limit_exceeded',
    'The recording of one shell of SSH, on the disk. The shell ends there, and the client hears why. Days of work in a terminal take less.',
  ),
  capturedViewBytesMax: fixedRow(
    1 * MiB,
    'limit_exceeded',
    'A kept body after it is decoded to be looked at. A small one can stand for gigabytes.',
  ),
} as const satisfies Record<string, LimitRow>;
