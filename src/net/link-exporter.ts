// The value that the TLS of a connection gives to its two ends alone (RFC 9266).

import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** `tls-exporter` of RFC 9266 §2. */
const label = 'EXPORTER-Channel-Binding';
const exporterBytes = 32;
const emptyContext = Buffer.alloc(0);

/** Undefined without TLS, before TLS 1.3 (where the value is unique only with an extension), and where the runtime does not give it. */
export function linkExporter(socket: Duplex): Uint8Array | undefined {
  if (!(socket instanceof TLSSocket) || socket.getProtocol() !== 'TLSv1.3') return undefined;
  try {
    const value = socket.exportKeyingMaterial(exporterBytes, label, emptyContext);
    return value.length === exporterBytes ? value : undefined;
  } catch {
    // A runtime without it, or a connection that has just ended: the modes that need it are not offered.
    return undefined;
  }
}
