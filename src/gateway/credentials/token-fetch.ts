// Requests of the gateway itself to the issuers of tokens: HTTPS only, bounded in time and bytes, no redirects.

import { Agent, fetch } from 'undici';

const timeoutMs = 10_000;
/** A token answer is a few kilobytes. */
const answerBytesMax = 64 * 1024;

export interface TokenAnswer {
  readonly status: number;
  readonly text: string;
}

/** Posts a form. Throws for anything but a whole answer; the error has nothing of what was sent. */
export type TokenFetch = (
  url: string,
  request: { readonly authorization: string; readonly body: string },
) => Promise<TokenAnswer>;

/** A fetch that trusts exactly these roots (PEM), whatever the environment says. */
export function openTokenFetch(trust: readonly string[]): { readonly fetch: TokenFetch } & AsyncDisposable {
  const dispatcher = new Agent({ connect: { ca: [...trust] }, connections: 2 });
  return {
    fetch: async (url, { authorization, body }) => {
      if (!url.startsWith('https://')) throw new Error('its URL is not https');
      const answer = await fetch(url, {
        method: 'POST',
        headers: {
          authorization,
          accept: 'application/json',
          'content-type': 'application/x-www-form-urlencoded',
        },
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        dispatcher,
      });
      return { status: answer.status, text: await textOf(answer.body) };
    },
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}

async function textOf(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new Error(`its answer is longer than ${String(answerBytesMax)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
