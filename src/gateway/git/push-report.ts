// What git is told of a push that is not allowed, in its own words, so that it prints the reason beside each ref.
// https://git-scm.com/docs/pack-protocol ("Report Status", "side-band")

import { Buffer } from 'node:buffer';
import type { PushCommands } from '../../policy/git-commands.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { RefusedPush } from './refused-push.ts';

/** Bytes of a packet of side-band-64k behind its length and its band. */
const bandBytesMax = 65_515;

/** Without a report the client takes silence for success. */
export function isReported({ capabilities }: PushCommands): boolean {
  return capabilities.has('report-status') || capabilities.has('report-status-v2');
}

/** @param message one line, beside each ref @param text all lines, for people */
export function pushReport(message: string, text: string, { commands, refused }: RefusedPush): Buffer {
  const reason = `upstreamproxy: ${message}`
    .replaceAll(/\s+/g, ' ')
    .slice(0, defaultLimits.gitReasonCharactersMax);
  const others = 'upstreamproxy: refused together with the other refs of this push';
  const report = Buffer.concat([
    packet('unpack ok\n'),
    ...commands.updates.map(({ ref }) => packet(`ng ${ref} ${refused.has(ref) ? reason : others}\n`)),
    flush,
  ]);
  if (!commands.capabilities.has('side-band-64k')) return report;
  const parts = text
    .trimEnd()
    .split('\n')
    .map((line) => packet(`\u0002${line}\n`));
  for (let at = 0; at < report.length; at += bandBytesMax)
    parts.push(packet(Buffer.concat([Buffer.of(1), report.subarray(at, at + bandBytesMax)])));
  return Buffer.concat([...parts, flush]);
}

const flush = Buffer.from('0000');

function packet(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
}
