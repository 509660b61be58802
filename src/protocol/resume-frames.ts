// The payloads of the frames by which a tunnel outlives its link: `ack`, `resume`, `resumable`.

import { ProxyError } from './error.ts';
import type { Frame } from './frame.ts';

type ResumeTypes = Extract<Frame, { readonly type: 'ack' | 'resume' | 'resumable' }>;

/** Octets that tell one tunnel from all others. */
export const resumeIdBytes = 32;
/** Octets of the secret of a tunnel. */
export const resumeSecretBytes = 32;

/** Of the agent by the key of the session, then of both by the secret of the tunnel. */
export const signatureBytes = 64;
const macBytes = 32;

export function encodeResumePayload(frame: ResumeTypes): Uint8Array {
  if (frame.type === 'resumable') {
    const payload = new Uint8Array(resumeIdBytes + resumeSecretBytes + 4);
    payload.set(frame.tunnelId);
    payload.set(frame.secret, resumeIdBytes);
    viewOf(payload).setUint32(resumeIdBytes + resumeSecretBytes, frame.windowMs);
    return payload;
  }
  const proof = frame.type === 'resume' ? frame.proof : new Uint8Array();
  const payload = new Uint8Array(8 + proof.length);
  viewOf(payload).setBigUint64(0, frame.receivedBytes);
  payload.set(proof, 8);
  return payload;
}

/** The parser's buffer is used again, so what is kept is copied. Throws frame_malformed. */
export function decodeResumeFrame(type: ResumeTypes['type'], payload: Uint8Array): ResumeTypes {
  if (type === 'resumable') {
    const secretEnd = resumeIdBytes + resumeSecretBytes;
    return {
      type,
      tunnelId: Uint8Array.from(payload.subarray(0, resumeIdBytes)),
      secret: Uint8Array.from(payload.subarray(resumeIdBytes, secretEnd)),
      windowMs: viewOf(payload).getUint32(secretEnd),
    };
  }
  const receivedBytes = viewOf(payload).getBigUint64(0);
  if (type === 'ack') return { type, receivedBytes };
  const proof = Uint8Array.from(payload.subarray(8));
  if (![0, macBytes, signatureBytes + macBytes].includes(proof.length))
    throw new ProxyError('frame_malformed', `a resume frame cannot have a proof of ${proof.length} octets`);
  return { type, receivedBytes, proof };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
