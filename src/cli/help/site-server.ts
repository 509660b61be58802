// Serves the files of the documentation site on loopback. They are in memory, so a request names nothing of the disk.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { http } from '../../system/http-module.ts';
import { extname } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export interface SiteServer extends AsyncDisposable {
  readonly address: URL;
}

type Files = ReadonlyMap<string, Buffer>;

/** `port` 0: any free one. @throws ProxyError usage */
export async function serveSite(files: Files, port: number): Promise<SiteServer> {
  const { docsConnectionsMax, docsHeadBytesMax, docsRequestTimeoutMs } = defaultLimits;
  const server = http.createServer(
    {
      maxHeaderSize: docsHeadBytesMax,
      requestTimeout: docsRequestTimeoutMs,
      headersTimeout: docsRequestTimeoutMs,
    },
    (request, response) => respond(files, request, response),
  );
  server.maxConnections = docsConnectionsMax;
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    throw new ProxyError('usage', `--port ${port}: ${faultReason(error)}`, { cause: error });
  }
  const bound = server.address();
  // A server that listens on a port has an address with it.
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
  return {
    address: new URL(`http://127.0.0.1:${boundPort}/`),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

function respond(files: Files, { method, url = '/' }: IncomingMessage, response: ServerResponse): void {
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const [path = '/'] = url.split('?', 1);
  const name = path.endsWith('/') ? `${path}index.html` : path;
  const body = files.get(name);
  if (body === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('There is no such page.\n');
    return;
  }
  const type = types[extname(name)] ?? 'application/octet-stream';
  response.writeHead(200, {
    'content-type': type,
    'content-length': body.length,
    'cache-control': 'no-store',
    'content-security-policy': policyFor(extname(name) === '.html' ? body.toString('utf8') : ''),
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  });
  response.end(method === 'HEAD' ? undefined : body);
}

/** Nothing of another host, and no script but the site's: those within a page by their digests. Colours of code are attributes of its words. */
function policyFor(html: string): string {
  const within = scriptsWithin(html).map(
    (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
  );
  return (
    `default-src 'none'; script-src 'self'${within.map((one) => ` ${one}`).join('')}; style-src 'self' 'unsafe-inline'; ` +
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  );
}

function scriptsWithin(html: string): readonly string[] {
  const [, ...parts] = html.split('<script');
  return parts.flatMap((part) => {
    const start = part.indexOf('>');
    const hasAddress = part.slice(0, start).includes(' src=');
    return hasAddress ? [] : [part.slice(start + 1, part.indexOf('</script>'))];
  });
}
