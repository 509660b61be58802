import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LeafServers } from '../../src/intercept/leaf-servers.ts';
import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import type { LeafIssuer } from '../../src/pki/certificate-authority.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { Limits } from '../../src/protocol/limits.ts';

const startMs = Date.now();
const dayMs = 86_400_000;

function scene(limits: Partial<Limits> = {}): {
  readonly servers: LeafServers;
  readonly issued: string[];
  prepared: () => number;
} {
  const authority = createEphemeralAuthority(startMs);
  const issued: string[] = [];
  const issuer: LeafIssuer = {
    issue: (host, nowMs) => {
      issued.push(host);
      return authority.issue(host, nowMs);
    },
  };
  let prepared = 0;
  const servers = new LeafServers({
    issuer,
    limits: { ...defaultLimits, ...limits },
    prepare: () => {
      prepared++;
    },
  });
  return { servers, issued, prepared: () => prepared };
}

const request = (
  host: string,
  nowMs = startMs,
  alpn: readonly string[] = ['http/1.1'],
): Parameters<LeafServers['get']>[0] => ({
  host,
  alpn,
  owner: 'a',
  nowMs,
});

describe('the servers of the leaves', () => {
  test('are made once for each host and offer', () => {
    const { servers, issued, prepared } = scene();
    const first = servers.get(request('a.test'));
    assert.equal(servers.get(request('a.test')), first);
    assert.notEqual(servers.get(request('b.test')), first);
    assert.notEqual(servers.get(request('a.test', startMs, ['h2', 'http/1.1'])), first);
    assert.notEqual(servers.get(request('a.test', startMs, [])), first);
    assert.deepEqual(issued, ['a.test', 'b.test', 'a.test', 'a.test']);
    assert.equal(prepared(), 4);
  });

  test('are bounded: the one that was not used for longest goes', () => {
    const { servers, issued } = scene({ leafContextsMax: 2 });
    servers.get(request('a.test'));
    servers.get(request('b.test'));
    servers.get(request('a.test'));
    servers.get(request('c.test'));
    assert.equal(servers.size, 2);
    servers.get(request('a.test'));
    assert.deepEqual(issued, ['a.test', 'b.test', 'c.test']);
    servers.get(request('b.test'));
    assert.deepEqual(issued, ['a.test', 'b.test', 'c.test', 'b.test']);
  });

  test('are renewed long before the leaf expires', () => {
    const { servers, issued } = scene();
    const first = servers.get(request('a.test'));
    assert.equal(servers.get(request('a.test', startMs + 19 * dayMs)), first);
    assert.notEqual(servers.get(request('a.test', startMs + 20 * dayMs)), first);
    assert.equal(issued.length, 2);
    assert.equal(servers.size, 1);
  });

  test('of hosts that one owner invents are limited, known ones and other owners are not', () => {
    const { servers } = scene({ leavesPerSecondMax: 2 });
    servers.get(request('a.test'));
    servers.get(request('b.test'));
    assert.throws(
      () => servers.get(request('c.test')),
      (error: unknown) => error instanceof ProxyError && error.code === 'limit_exceeded',
    );
    servers.get(request('a.test'));
    servers.get({ ...request('c.test'), owner: 'b' });
  });

  test('are not made for a string that is no host', () => {
    const { servers } = scene();
    assert.throws(
      () => servers.get(request('a.test http/1.1')),
      (error: unknown) => error instanceof ProxyError && error.code === 'authority_malformed',
    );
    assert.equal(servers.size, 0);
  });
});
