// Words of a program that serves, on standard error, without a wait for whoever reads it. A reader that stopped would stop the
// network of the workload with it: where standard error blocks, so does a write, and with it everything else that the process does.

import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

import { openSystemCalls } from '../../system/ffi.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';
import type { Logger } from '../../system/logger.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const standardError = 2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** Gives how much was taken, 0 where there is no room or nobody reads any more. Never waits. */
type Put = (bytes: Buffer) => number;

/** Warnings, one line each. What there is no room for is lost; how many lines, is said when there is room again. */
export function standardErrorLog(put: Put = openPut()): Logger {
  let lost = 0;
  let isTorn = false;
  const say = (text: string): boolean => {
    const bytes = Buffer.from(`${isTorn ? '\n' : ''}upstreamproxy: ${text}\n`);
    const taken = put(bytes);
    if (taken > 0) isTorn = taken < bytes.length;
    return taken === bytes.length;
  };
  return {
    info() {},
    warn(message) {
      if (lost > 0 && say(`${lost} lines were lost, for nobody read them`)) lost = 0;
      if (lost > 0 || !say(message)) lost += 1;
    },
  };
}

function openPut(): Put {
  return openedAnew() ?? asSocket() ?? asStream();
}

/** What others who have the stream do to its flags, and the flag that we need, is nothing to one that is opened anew. */
function openedAnew(): Put | undefined {
  try {
    if (!fstatSync(standardError).isFIFO() && !isatty(standardError)) return undefined;
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    const fd = openSync(`/proc/self/fd/${standardError}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return (bytes) => {
      try {
        return writeSync(fd, bytes);
      } catch {
        // No room, or no reader.
        return 0;
      }
    };
  } catch {
    // Of another user, or without /proc.
    return undefined;
  }
}

/** A socket cannot be opened anew, but it can be asked not to wait (send(2)). */
function asSocket(): Put | undefined {
  try {
    if (!fstatSync(standardError).isSocket()) return undefined;
    const calls = openSystemCalls();
    const { sendto } = systemCallNumbers();
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    return (bytes) => Math.max(0, calls.call(sendto, standardError, bytes, bytes.length, flags, 0, 0));
  } catch {
    // No foreign functions here.
    return undefined;
  }
}

/** A file takes everything; what else there is may wait, within a bound. */
function asStream(): Put {
  return (bytes) => {
    if (process.stderr.writableLength > defaultLimits.logWaitingBytesMax) return 0;
    process.stderr.write(bytes);
    return bytes.length;
  };
}
