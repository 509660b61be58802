// Fetches through a proxy of its own, and says what came of each.

import { readFileSync } from 'node:fs';
import { initUpstreamProxy } from '../../../src/index.ts';

const [, , folder = '', gatewayUrl = '', base = ''] = process.argv;
await using proxy = await initUpstreamProxy({
  gatewayUrl,
  tokenFile: `${folder}/token`,
  gatewayCa: readFileSync(`${folder}/gateway.pem`, 'utf8'),
  environment: {},
  onFailure: 'throw',
});
const results: Record<string, unknown> = {};

async function say(name: string, input: string | Request, init?: RequestInit): Promise<void> {
  const response = await proxy.fetch(input, init);
  const { status, url, redirected, headers } = response;
  results[name] = [status, await response.text(), url, redirected, headers.get('x-two')];
}

async function fail(name: string, path: string, init?: RequestInit): Promise<void> {
  try {
    results[name] = (await proxy.fetch(`${base}${path}`, init)).status;
  } catch (error) {
    results[name] = error instanceof TypeError ? 'TypeError' : (error as Error).name;
  }
}

results['the global one'] = await fetch(`${base}/hello`).then(
  () => 'succeeded',
  () => 'failed',
);
await say('get', `${base}/hello`);
await say('post', `${base}/echo`, { method: 'POST', body: 'body' });
const stream = new ReadableStream({
  start(controller) {
    controller.enqueue(new TextEncoder().encode('streamed'));
    controller.close();
  },
});
const streamed = { method: 'POST', body: stream, duplex: 'half', headers: { 'content-type': 'text/plain' } };
// `duplex` is in the standard, and not in all types.
await say('stream', `${base}/echo`, streamed as RequestInit);
const headers = { authorization: 'Bearer x' };
await say('request', new Request(`${base}/echo`, { method: 'PUT', body: 'put', headers }));
await say('gzip', `${base}/gzip`);
await say('none', `${base}/none`);
await say('head', `${base}/hello`, { method: 'HEAD' });
await say('redirect 302 of a POST', `${base}/?redirect=302&to=/next`, { method: 'POST', body: 'gone' });
await say('redirect 307 of a POST', `${base}/?redirect=307&to=/next`, { method: 'POST', body: 'again' });
await say('manual', `${base}/?redirect=302&to=/next`, { redirect: 'manual' });
results['denied'] = (await proxy.fetch('https://denied.test/')).status;
await fail('redirect as an error', '/?redirect=302&to=/next', { redirect: 'error' });
await fail('in a circle', '/circle');
await fail('aborted', '/hello', { signal: AbortSignal.abort() });
await fail('to nowhere', '/?redirect=302&to=ftp://x.test/');
console.log(JSON.stringify(results));
