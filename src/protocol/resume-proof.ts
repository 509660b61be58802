// Who goes on with a tunnel upon another link: the agent proves the key of its session and the secret of the tunnel, the gateway the
// secret, each for one attempt. Without I/O, clock, randomness or keys: those arrive. docs/reference/wire.md has the texts.

import { ProxyError } from './error.ts';
import type { Frame } from './frame.ts';
import { signatureBytes } from './resume-frames.ts';

export type ResumeFrame = Extract<Frame, { readonly type: 'resume' }>;

/** One attempt to go on with one tunnel. */
export interface ResumeAttempt {
  readonly tunnelId: Uint8Array;
  /** The number of the attempt, chosen by the agent, never used twice for a tunnel. */
  readonly epoch: number;
  /** Of the gateway, fresh for the attempt. */
  readonly challenge: Uint8Array;
}

/** A keyed hash by the secret of the tunnel. */
type Mac = (text: Uint8Array) => Uint8Array;

const contexts = {
  agent: 'upstreamproxy resume of the agent, 1',
  gateway: 'upstreamproxy resume of the gateway, 1',
} as const;

const encoder = new TextEncoder();

/** What is signed: the context and each fact, with its length as u16 before it. */
export function resumeText(
  side: keyof typeof contexts,
  { tunnelId, epoch, challenge }: ResumeAttempt,
  receivedBytes: bigint,
): Uint8Array<ArrayBuffer> {
  const numbers = new DataView(new ArrayBuffer(12));
  numbers.setUint32(0, epoch);
  numbers.setBigUint64(4, receivedBytes);
  const parts = [encoder.encode(contexts[side]), tunnelId, challenge, new Uint8Array(numbers.buffer)];
  const text = new Uint8Array(parts.reduce((sum, { length }) => sum + 2 + length, 0));
  let offset = 0;
  for (const part of parts) {
    text[offset] = part.length >>> 8;
    text[offset + 1] = part.length;
    text.set(part, offset + 2);
    offset += 2 + part.length;
  }
  return text;
}

/** The agent's word: how much it has, and that it may go on. */
export async function claimResume(
  attempt: ResumeAttempt,
  receivedBytes: number,
  by: { readonly sign: (text: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>; readonly mac: Mac },
): Promise<ResumeFrame> {
  const count = BigInt(receivedBytes);
  const text = resumeText('agent', attempt, count);
  const signature = await by.sign(text);
  const mac = by.mac(text);
  const proof = new Uint8Array(signature.length + mac.length);
  proof.set(signature);
  proof.set(mac, signature.length);
  return { type: 'resume', receivedBytes: count, proof };
}

/** How much the agent has. Throws resume_refused without both proofs. */
export function checkClaim(
  attempt: ResumeAttempt,
  { receivedBytes, proof }: ResumeFrame,
  by: { readonly verify: (text: Uint8Array, signature: Uint8Array) => boolean; readonly mac: Mac },
): number {
  const text = resumeText('agent', attempt, receivedBytes);
  const signature = proof.subarray(0, signatureBytes);
  if (signature.length !== signatureBytes || !by.verify(text, signature))
    throw refused('it is not signed by the key of the session for this attempt');
  if (!areEqual(by.mac(text), proof.subarray(signatureBytes)))
    throw refused('whoever asks does not know the secret of the tunnel');
  return Number(receivedBytes);
}

/** The gateway's word. */
export function confirmResume(attempt: ResumeAttempt, receivedBytes: number, mac: Mac): ResumeFrame {
  const count = BigInt(receivedBytes);
  return {
    type: 'resume',
    receivedBytes: count,
    proof: mac(resumeText('gateway', attempt, count)),
  };
}

/** How much the gateway has. Throws resume_refused if whoever says it does not have the tunnel. */
export function checkConfirmation(
  attempt: ResumeAttempt,
  { receivedBytes, proof }: ResumeFrame,
  mac: Mac,
): number {
  if (!areEqual(mac(resumeText('gateway', attempt, receivedBytes)), proof))
    throw refused('whoever replies does not know the secret of the tunnel');
  return Number(receivedBytes);
}

/** In a time that tells nothing of where they differ. */
function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (const [at, octet] of one.entries()) difference |= octet ^ (other[at] ?? 0);
  return difference === 0;
}

function refused(why: string): ProxyError {
  return new ProxyError('resume_refused', `the tunnel does not go on: ${why}`);
}
