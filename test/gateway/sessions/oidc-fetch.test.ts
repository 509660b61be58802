import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { fetchIssuerJson, issuerFetch } from '../../../src/gateway/sessions/oidc-fetch.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openTestServices } from '../support/service-fetch.ts';

const authority = createTestAuthority();
const limits = { ...defaultLimits, jwksBytesMax: 1000 };
let server: Server;
let origin = '';

before(async () => {
  server = createServer(authority.issue('127.0.0.1'), (request, response) => {
    switch (request.url) {
      case '/json':
        return response.end('{"keys":[]}');
      case '/html':
        return response.end('<html>');
      case '/large':
        return response.end(JSON.stringify('x'.repeat(1000)));
      case '/redirect':
        return response.writeHead(302, { location: '/json' }).end();
      case '/endless':
        return response.write('[');
      case '/silent':
        return undefined;
      default:
        return response.writeHead(404).end('{}');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that listens on a port has an AddressInfo.
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const unavailable = (message: RegExp) => ({ name: 'ProxyError', code: 'issuer_unavailable', message });

test('a document is fetched from a server whose root is trusted', async () => {
  await using services = openTestServices([authority.caPem]);
  assert.deepEqual(await fetchIssuerJson(issuerFetch(services.fetch), `${origin}/json`, limits), {
    keys: [],
  });
});

test('a server whose root is not trusted is refused', async () => {
  await using services = openTestServices([createTestAuthority().caPem]);
  await assert.rejects(
    fetchIssuerJson(issuerFetch(services.fetch), `${origin}/json`, limits),
    unavailable(/certificate/),
  );
});

const refused: readonly (readonly [path: string, message: RegExp])[] = [
  ['/html', /not JSON/],
  ['/large', /jwksBytesMax/],
  ['/redirect', /redirect/],
  ['/endless', /jwksTimeoutMs/],
  ['/silent', /jwksTimeoutMs/],
  ['/missing', /status 404/],
];
for (const [path, message] of refused) {
  test(`the document ${path} is refused and the message names it`, async () => {
    await using services = openTestServices([authority.caPem]);
    await assert.rejects(
      fetchIssuerJson(issuerFetch(services.fetch), `${origin}${path}`, {
        ...limits,
        // Only for those that have to run out of it: a busy machine is late with the others.
        ...(path === '/endless' || path === '/silent' ? { jwksTimeoutMs: 200 } : {}),
      }),
      unavailable(message),
    );
  });
}

test('a plain or strange URL is never asked', async () => {
  const fetch = () => assert.fail('it was asked');
  for (const url of [origin.replace('https', 'http'), 'file:///etc/passwd', 'keys', '']) {
    await assert.rejects(fetchIssuerJson(fetch, url, limits), unavailable(/not https/));
  }
});
