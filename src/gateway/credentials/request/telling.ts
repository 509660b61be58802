// Who of the credentials of a request is told what an origin said of it.

import type { Injected, RefusingResponse } from './injected.ts';

export type Told = Pick<Injected, 'onRejected' | 'isRejection' | 'onNonce' | 'reprove'>;

interface Telling extends Pick<Told, 'reprove'> {
  readonly onNonce?: (nonce: string) => boolean;
  readonly onRejected: (nowMs: number) => void;
  readonly onRefusing?: (response: RefusingResponse, nowMs: number) => void;
}

/** For a response with 401, for one with 400 or 403 where a credential reads those, and for what a proof has to have. */
export function tellingOf(told: readonly Told[]): Telling {
  const proving = told.find(({ onNonce }) => onNonce !== undefined);
  const reading = told.filter(({ isRejection }) => isRejection !== undefined);
  return {
    onRejected: (nowMs) => {
      for (const { onRejected } of told) onRejected?.(nowMs);
    },
    ...(reading.length === 0
      ? {}
      : {
          onRefusing: (response, nowMs) => {
            for (const one of reading) if (one.isRejection?.(response) === true) one.onRejected?.(nowMs);
          },
        }),
    ...(proving?.onNonce === undefined ? {} : { onNonce: proving.onNonce }),
    ...(proving?.reprove === undefined || told.length > 1 ? {} : { reprove: proving.reprove }),
  };
}
