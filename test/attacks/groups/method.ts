// Methods that are not what they seem.

import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';

import { responded, get, nothingDialled, post, refused, type AttackTable } from '../support/attack.ts';
import { http2Send, openHttp2, pseudo } from '../support/http2-client.ts';

export const method: AttackTable = {
  'METH-01': async (a) => {
    const at = a.at('api.allowed.test');
    for (const name of ['TRACE', 'TRACK', 'DEBUG'])
      for (const hops of ['0', '5'])
        refused(
          await a.send(
            at,
            `${name} / HTTP/1.1\r\nHost: ${at}\r\nMax-Forwards: ${hops}\r\nConnection: close\r\n\r\n`,
          ),
          400,
          405,
        );
    nothingDialled(a);
  },
  'METH-02': async (a) => {
    const at = a.at('paths.test');
    for (const name of [
      'X-HTTP-Method-Override',
      'X-HTTP-Method',
      'X-Method-Override',
      'X_HTTP_Method_Override',
    ])
      refused(
        await a.send(at, post(at, '/public/x', [`${name}: DELETE`, 'Content-Length: 0'], '')),
        400,
        403,
      );
    nothingDialled(a);
    // The query is the origin's own language: passed as it is, and the documentation says so.
    responded(
      await a.send(at, post(at, '/public/x?_method=DELETE', ['Content-Length: 14'], '_method=DELETE')),
      200,
    );
    assert.equal(a.lastEvent?.path, '/public/x?_method=DELETE');
  },
  'METH-04': {
    policy: ({ tls }) => `
rules:
  - { name: probe, hosts: probe.test, ports: ${tls}, addresses: 127.0.0.10/32 }
  - { name: reads, hosts: paths.test, ports: ${tls}, methods: GET, paths: /public/*, addresses: 127.0.0.10/32 }
`,
    run: async (a) => {
      const at = a.at('paths.test');
      for (const name of ['HEAD', 'OPTIONS', 'QUERY', 'DELETE'])
        refused(await a.send(at, get(at, '/public/x').replace('GET', name)), 403);
      nothingDialled(a);
      // A body on GET is framed by the gateway and judged as the GET that it is.
      const reply = await a.send(at, get(at, '/public/x', 'Content-Length: 4').concat('body'));
      responded(reply, 200);
      assert.equal(a.origins.seen.find(({ host }) => host === 'paths.test')?.bodyBytes, 4);
    },
  },
  'METH-05': async (a) => {
    const at = a.at('paths.test');
    const grpc = (path: string): [string, string][] => [
      ...pseudo(at, path, 'POST'),
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
    ];
    await using client = await openHttp2(a, at);
    const hugeMessage = '\0\u00ff\u00ff\u00ff\u00ff';
    await http2Send(
      a,
      client,
      [
        grpc('/pkg.Svc/Denied'),
        grpc('/public/../pkg.Svc/Denied'),
        grpc('/grpc.reflection.v1.ServerReflection/Info'),
      ],
      hugeMessage,
    );
    const events = await a.events(3);
    assert.ok(events.every(({ verdict }) => verdict === 'deny'));
    nothingDialled(a);
    // The client gets the status of gRPC, test/gateway/exchange/grpc-denial.test.ts; the audit what is meant by it.
    assert.deepEqual(
      events.map(({ status }) => status),
      [403, 403, 403],
    );
    // Other framings of gRPC are requests like any others: the path decides.
    const web = grpc('/pkg.Svc/Denied').map(([name, value]): [string, string] => [
      name,
      name === 'content-type' ? 'application/grpc-web+proto' : value,
    ]);
    await http2Send(a, client, [web], hugeMessage);
    nothingDialled(a);
    // A bomb is bytes that nobody unpacks, and a million empty messages are five megabytes.
    const packed = [...grpc('/public/Bomb'), ['grpc-encoding', 'gzip'] as [string, string]];
    const bomb = gzipSync(Buffer.alloc(10_000_000)).toString('latin1');
    await http2Send(a, client, [packed], `\x01\0\0\x26\x10${bomb}`.slice(0, 16_000));
    await http2Send(a, client, [grpc('/public/Empty')], '\0\0\0\0\0'.repeat(3_000));
    assert.equal(a.origins.seen.find(({ path }) => path === '/public/Empty')?.bodyBytes, 15_000);
    // A message that claims 4 GB is five bytes on the way: nothing is allocated for a claim.
    await http2Send(a, client, [grpc('/public/Echo')], hugeMessage);
    assert.equal(a.origins.seen.find(({ path }) => path === '/public/Echo')?.bodyBytes, 5);
  },
};
