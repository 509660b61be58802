// Which tunnel an upgrade wants to go on with.

import { resumeIdBytes } from '../protocol/resume-frames.ts';

export interface ResumeName {
  readonly tunnelId: Uint8Array;
  /** The number of the attempt. */
  readonly epoch: number;
}

/** 32 octets are 43 characters of base64url, of which the last has two bits left over. */
const form = /^([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])\.([1-9]\d{0,8})$/;

/** The value of the request field; undefined for one that names no tunnel. */
export function parseResumeName(value: string | readonly string[] | undefined): ResumeName | undefined {
  const found = typeof value === 'string' ? form.exec(value) : null;
  if (found === null) return undefined;
  const [, id = '', epoch = ''] = found;
  const tunnelId = new Uint8Array(Buffer.from(id, 'base64url'));
  return tunnelId.length === resumeIdBytes ? { tunnelId, epoch: Number(epoch) } : undefined;
}

/** The value that names it. */
export function resumeNameOf({ tunnelId, epoch }: ResumeName): string {
  return `${Buffer.from(tunnelId).toString('base64url')}.${epoch}`;
}
