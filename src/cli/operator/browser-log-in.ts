// The browser of an operator comes back to this machine with a code: one listener on 127.0.0.1, for as long as a log-in takes.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  beginByBrowser,
  finishByBrowser,
  type LogInWay,
} from '../../gateway/credentials/kept/operator-log-in.ts';
import type { GivenTokens } from '../../gateway/credentials/kept/token-endpoint.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { http } from '../../system/http-module.ts';
import { openInBrowser } from '../terminal/open-in-browser.ts';
import { harmlessText } from '../terminal/text-table.ts';

export interface BrowserLogInOptions {
  /** Else the address is only printed. */
  readonly opens: boolean;
  /** 0: any that is free. */
  readonly port: number;
}

const path = '/callback';
const fields = {
  'content-type': 'text/plain; charset=utf-8',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  connection: 'close',
} as const;

/** @throws ProxyError credential_unavailable, timeout */
export async function logInByBrowser(
  way: LogInWay,
  { opens, port }: BrowserLogInOptions,
): Promise<GivenTokens> {
  const server = http.createServer({ headersTimeout: 5_000, requestTimeout: 5_000, maxHeaderSize: 16_384 });
  server.maxConnections = 16;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening').catch((error: unknown) => {
    throw new ProxyError('usage', `port ${port} of 127.0.0.1 cannot be listened on`, { cause: error });
  });
  const { promise, resolve, reject } = Promise.withResolvers<GivenTokens>();
  const timer = setTimeout(() => {
    reject(new ProxyError('timeout', 'nobody came back from the log-in in time; begin again'));
  }, defaultLimits.logInLifetimeMs);
  try {
    // A server that listens on TCP has a port.
    const { port: bound } = server.address() as AddressInfo;
    const host = `127.0.0.1:${bound}`;
    const begun = beginByBrowser(way, `http://${host}${path}`);
    let isFinishing = false;
    const comeBack = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const [at = '', query = ''] = (request.url ?? '').split('?', 2);
      // A page of others may send a browser here, by a name of its own.
      if (request.method !== 'GET' || at !== path || request.headers.host !== host || isFinishing) {
        response.writeHead(404, fields).end('There is nothing here.\n');
        return;
      }
      isFinishing = true;
      try {
        const tokens = await finishByBrowser(way, begun, new URLSearchParams(query));
        isFinishing = tokens !== undefined;
        const text =
          tokens === undefined ? 'This is of another log-in.\n' : 'Logged in. You can close this page.\n';
        response.writeHead(tokens === undefined ? 400 : 200, fields).end(text);
        if (tokens !== undefined) resolve(tokens);
      } catch (error) {
        response.writeHead(400, fields).end('The log-in failed; the terminal says why.\n');
        reject(error instanceof Error ? error : new Error('the log-in failed'));
      }
    };
    server.on('request', (request, response) => void comeBack(request, response));
    process.stderr.write(harmlessText(`open ${begun.url}`) + '\n');
    if (opens) openInBrowser(new URL(begun.url));
    return await promise;
  } finally {
    clearTimeout(timer);
    server.close();
    server.closeIdleConnections();
  }
}
