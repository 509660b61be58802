// A decider that is asked over HTTP/1.1 with JSON: OPA, or a webhook. Connections are kept; each has one question at a time.

import type { Agent } from 'undici';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { Secret } from '../../protocol/secret.ts';
import type { DialService } from '../forward/dial-service.ts';
import { type Decider, DeciderFault, type DeciderQuestion, type Verdict } from './decider.ts';
import { questionJson } from './question-json.ts';
import { opaVerdict, webhookVerdict } from './verdict-json.ts';

export interface HttpDeciderOptions {
  readonly kind: 'opa' | 'webhook';
  readonly url: string;
  readonly dial: DialService;
  /** Asked for each question: a token may change. */
  readonly token: (() => Promise<Secret<string>>) | undefined;
  readonly limits: Pick<Limits, 'deciderConnectionsMax'>;
}

type Client = typeof import('undici');

export class HttpDecider implements Decider {
  readonly #options: HttpDeciderOptions;
  /** Loaded now: for later a workload of this user could have changed its files. */
  readonly #client: Promise<Client>;
  #agent: Agent | undefined;

  constructor(options: HttpDeciderOptions) {
    this.#options = options;
    this.#client = import('undici');
    // Who asks hears it.
    this.#client.catch(() => {});
  }

  async ask(question: DeciderQuestion, signal: AbortSignal): Promise<Verdict> {
    const { kind, url, token } = this.#options;
    const text = questionJson(question);
    const body = kind === 'opa' ? `{"input":${text}}` : text;
    const secret = await token?.();
    const client = await this.#client;
    signal.throwIfAborted();
    const response = await client.request(url, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret.reveal()}` }),
      },
      body,
      signal,
      dispatcher: (this.#agent ??= this.#open(client)),
      // The signal has the deadline of all of it.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const octets = await octetsOf(response.body);
    if (response.statusCode !== 200)
      throw new DeciderFault(`it responds with status ${String(response.statusCode)}`);
    const { headers } = response;
    const type = textOf(headers['content-type']).toLowerCase();
    if (!/^application\/json\s*(?:;|$)/.test(type)) throw new DeciderFault('its response is not JSON');
    if (headers['content-encoding'] !== undefined) throw new DeciderFault('its response is encoded');
    const verdict = kind === 'opa' ? opaVerdict(octets) : webhookVerdict(octets);
    const cacheMs = cacheMsOf(textOf(headers['cache-control']));
    return cacheMs === undefined ? verdict : { ...verdict, cacheMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.destroy();
  }

  #open(client: Client): Agent {
    const { dial, limits } = this.#options;
    return new client.Agent({
      allowH2: false,
      pipelining: 1,
      connections: limits.deciderConnectionsMax,
      keepAliveTimeout: defaultLimits.deciderIdleMs,
      keepAliveMaxTimeout: defaultLimits.deciderIdleMs,
      connect: (_options, callback) => {
        dial(['http/1.1']).then(
          (socket) => callback(null, socket),
          (error: unknown) => callback(error instanceof Error ? error : new Error(faultReason(error)), null),
        );
      },
    });
  }
}

async function octetsOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const max = defaultLimits.deciderResponseBytesMax;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > max) throw new DeciderFault(`its response is longer than ${String(max)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function textOf(value: string | readonly string[] | undefined): string {
  return typeof value === 'object' ? value.join(',') : (value ?? '');
}

/** RFC 9111 §5.2.2, of which only what shortens is taken. Undefined: it says nothing of it. */
export function cacheMsOf(cacheControl: string): number | undefined {
  const directives = cacheControl
    .toLowerCase()
    .split(',')
    .map((one) => one.trim());
  if (directives.some((one) => /^no-(?:store|cache)\b/.test(one))) return 0;
  const ages = directives.filter((one) => one.startsWith('max-age'));
  if (ages.length === 0) return undefined;
  const seconds = ages
    .map((one) => /^max-age="?(\d{1,9})"?$/.exec(one)?.[1])
    .map((digits) => Number(digits ?? 0));
  return Math.min(...seconds) * 1000;
}
