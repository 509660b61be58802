// llhttp's vectors, read by our parser of responses and by the relay's reader of requests. The gateway reads requests by node:http,
// which is llhttp.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { ProxyHeadReader } from '../../../src/http/proxy-head-reader.ts';
import { ResponseParser } from '../../../src/http/response-parser.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { namedMaterial } from '../material.ts';
import type { CaseResult, Suite } from '../suite.ts';
import { llhttpDeviations } from './llhttp-deviations.ts';
import { readLog, readVectors } from './vector-format.ts';
import type { ReadMessage, Vector } from './vector-format.ts';

export const llhttpSuite: Suite = {
  name: 'llhttp',
  about: 'llhttp’s vectors: responses and first lines of requests are read as llhttp reads them, or refused',
  deviations: llhttpDeviations,
  run: async () => {
    const material = namedMaterial('llhttp');
    if ('absent' in material) return { absent: material.absent };
    return { results: await runVectors(join(material.folder, 'test')), from: material.from };
  },
};

/** All vectors of `request/` and `response/` below the folder. */
export async function runVectors(folder: string): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const kind of ['request', 'response'])
    for (const file of (await readdir(join(folder, kind))).sort()) {
      const text = await readFile(join(folder, kind, file), 'utf8');
      results.push(...readVectors(`${kind}/${file.replace(/\.md$/, '')}`, text).map(resultOf));
    }
  return results;
}

function resultOf(vector: Vector): CaseResult {
  const { id, type, isSteered } = vector;
  if (isSteered) return { id, state: 'excluded', rule: 'tells llhttp to pause, or to leave a body out' };
  if (type.includes('lenient')) return { id, state: 'excluded', rule: 'tells llhttp to be lenient' };
  const why = type.startsWith('response') ? differenceOfResponses(vector) : differenceOfRequest(vector);
  return why === undefined ? { id, state: 'passed' } : { id, state: 'failed', why };
}

function differenceOfResponses({ log, input, type }: Vector): string | undefined {
  const { messages, fault } = readLog(log);
  const own = readResponses(input, type === 'response-finish');
  if (own.fault !== undefined)
    return fault === undefined ? `refused (${own.fault}), but llhttp takes it` : undefined;
  // Nothing of it was handed on, and what is missing of its head may still make it none.
  if (fault !== undefined && own.isInHead) return undefined;
  if (fault !== undefined) return `taken, but llhttp refuses it (${fault.reason})`;
  if (isDeepStrictEqual(messages, own.messages)) return undefined;
  return `llhttp reads ${JSON.stringify(messages)}, we read ${JSON.stringify(own.messages)}`;
}

/** One after the other, as long as a connection may carry another. */
function readResponses(
  input: Buffer,
  isEnded: boolean,
): {
  readonly messages: readonly ReadMessage[];
  readonly isInHead: boolean;
  readonly fault: string | undefined;
} {
  const messages: { -readonly [Name in keyof ReadMessage]: ReadMessage[Name] }[] = [];
  const start = (status: number, raw: readonly string[], isWhole: boolean): void => {
    const none = { method: '', target: '', body: '', trailers: [] };
    messages.push({ ...none, status, fields: fieldsOf(raw), isWhole });
  };
  const parser = new ResponseParser(
    {
      onInformation: (status, raw) => start(status, raw, true),
      onHead: (status, raw) => start(status, raw, false),
      onSwitch: (raw) => start(101, raw, true),
      onData: (piece) => {
        const message = messages.at(-1);
        if (message !== undefined) message.body += Buffer.from(piece).toString('latin1');
        return true;
      },
      onEnd: (trailers) => {
        const message = messages.at(-1);
        if (message !== undefined) Object.assign(message, { trailers: fieldsOf(trailers), isWhole: true });
      },
    },
    defaultLimits,
  );
  try {
    for (let at = 0; at < input.length && (at === 0 || parser.isReusable);) {
      parser.begin({ method: 'GET', asksToSwitch: true });
      at += parser.push(input.subarray(at));
      if (!parser.isOver) break;
    }
    if (isEnded) parser.endOfConnection();
    const isInHead = !parser.isOver && messages.at(-1)?.isWhole !== false;
    return { messages, isInHead, fault: undefined };
  } catch (error) {
    if (error instanceof ProxyError) return { messages, isInHead: false, fault: error.message };
    throw error;
  }
}

function fieldsOf(raw: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < raw.length; at += 2) lines.push(`${raw[at]}: ${raw[at + 1]}`);
  return lines;
}

function differenceOfRequest({ log, input }: Vector): string | undefined {
  const { first, fault } = readLog(log);
  const start = input.findIndex((octet) => octet !== 0x0d && octet !== 0x0a);
  const lineEnd = input.indexOf(0x0a, Math.max(start, 0));
  // A fault behind the first line is llhttp's to find, in the gateway.
  const isRefused = fault !== undefined && (lineEnd === -1 || fault.at <= lineEnd);
  try {
    const head = new ProxyHeadReader(defaultLimits).push(input);
    if (isRefused)
      return head.state === 'incomplete' ? undefined : `taken, but llhttp refuses it (${fault.reason})`;
    if (head.state === 'incomplete') return undefined;
    const own = head.state === 'connect' ? { method: 'CONNECT', target: first.target } : head;
    if (own.method === first.method && own.target === first.target) return undefined;
    return `llhttp reads ${first.method} ${first.target}, we read ${own.method} ${own.target}`;
  } catch (error) {
    if (!(error instanceof ProxyError)) throw error;
    return fault !== undefined ? undefined : `refused (${error.message}), but llhttp takes it`;
  }
}
