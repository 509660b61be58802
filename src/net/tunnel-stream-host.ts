// What the streams of a tunnel may do to its connection; everything they do leaves with the next flush.

import { errorTable } from '../protocol/error-table.ts';
import type { TunnelConnection } from '../protocol/tunnel-connection.ts';
import type { LinkAbsence } from './link-absence.ts';
import type { TunnelStream, TunnelStreamHost } from './tunnel-stream.ts';

/** What the link does when a stream did something. */
export interface StreamHostHooks {
  /** There is something to write. */
  changed(): void;
  requestSend(stream: TunnelStream): void;
  /** Its reader may have consumed something. */
  consumed(stream: TunnelStream): void;
  closed(stream: TunnelStream): void;
}

export function streamHost(
  connection: TunnelConnection,
  absence: LinkAbsence,
  hooks: StreamHostHooks,
): TunnelStreamHost {
  return {
    absence,
    accept: (streamId) => {
      connection.accept(streamId);
      hooks.changed();
    },
    refuse: (streamId, error) => {
      connection.refuse(streamId, error.wireCode, error.message);
      hooks.changed();
    },
    requestSend: (stream) => hooks.requestSend(stream),
    sendData: (streamId, data) => connection.sendData(streamId, data),
    sendDatagram: (streamId, data) => {
      const isTaken = connection.output.pushDatagram(streamId, data);
      if (isTaken) hooks.changed();
      return isTaken;
    },
    lacksCredit: (streamId) => connection.lacksCredit(streamId),
    end: (streamId) => {
      connection.end(streamId);
      hooks.changed();
    },
    consumptionChanged: (stream) => {
      hooks.consumed(stream);
      hooks.changed();
    },
    closed: (stream, error) => {
      hooks.closed(stream);
      // Most streams have ended by then: no error is made for them.
      const code = error?.wireCode ?? errorTable.cancelled.wire;
      connection.reset(stream.streamId, code, error?.message ?? 'The other side closed the connection.');
      hooks.changed();
    },
  };
}
