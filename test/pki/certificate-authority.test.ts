import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connect, createServer } from 'node:tls';
import type { Server } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { openCertificateAuthority } from '../../src/pki/authority-folder.ts';
import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import type { CertificateAuthority } from '../../src/pki/certificate-authority.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { findTool, skipWithout } from '../support/tools.ts';

/** Certificates know whole seconds. */
const nowMs = Math.floor(Date.now() / 1000) * 1000;
const dayMs = 86_400_000;

const refusal = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProxyError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

describe('a certificate authority', () => {
  test('of a folder is the same at the next start', async () => {
    await withTemporaryDirectory(async (folder) => {
      const first = await openCertificateAuthority(folder, { nowMs });
      const second = await openCertificateAuthority(folder, { nowMs: nowMs + dayMs });
      assert.equal(second.certificatesPem, first.certificatesPem);
      assert.equal(second.etag, first.etag);
      assert.match(first.etag, /^"[0-9a-f]{32}"$/);
      const leaf = new X509Certificate(second.issue('a.test', nowMs).certificatePem);
      assert.equal(leaf.verify(new X509Certificate(first.certificatesPem).publicKey), true);
    });
  });

  test('has a name that no other has, and the one that it is given', async () => {
    const names = [1, 2].map(
      () => new X509Certificate(createEphemeralAuthority(nowMs).certificatesPem).subject,
    );
    assert.notEqual(names[0], names[1]);
    const named = createEphemeralAuthority(nowMs, 'Example, Inc. (lab)');
    assert.match(
      new X509Certificate(named.certificatesPem).subject,
      /^CN=Example\\?, Inc\. \(lab\) [0-9a-f]{8}$/,
    );
    assert.throws(() => createEphemeralAuthority(nowMs, 'x\ny'), refusal('config_invalid', /common name/));
  });

  test('publishes what stands behind its own certificate, and signs with its own', async () => {
    await withTemporaryDirectory(async (folder) => {
      const own = await openCertificateAuthority(folder, { nowMs });
      const next = createEphemeralAuthority(nowMs).certificatesPem;
      await writeFile(join(folder, 'ca.pem'), own.certificatesPem + next);
      const both = await openCertificateAuthority(folder, { nowMs });
      assert.equal(both.certificatesPem, own.certificatesPem + next);
      assert.notEqual(both.etag, own.etag);
      const leaf = new X509Certificate(both.issue('a.test', nowMs).certificatePem);
      assert.equal(leaf.checkIssued(new X509Certificate(own.certificatesPem)), true);
    });
  });

  test('gives leaves with a key that fits, one key for all', () => {
    const authority = createEphemeralAuthority(nowMs);
    const leaves = ['a.test', 'b.test'].map((host) => authority.issue(host, nowMs));
    assert.equal(leaves[0]!.privateKey, leaves[1]!.privateKey);
    assert.equal(typeof leaves[0]!.privateKey, 'string');
    const key = createPrivateKey(String(leaves[0]!.privateKey));
    assert.equal(new X509Certificate(leaves[0]!.certificatePem).checkPrivateKey(key), true);
    assert.equal(leaves[0]!.notAfterMs, nowMs + 30 * dayMs);
  });

  test('does not sign outside its own time', async () => {
    const authority = createEphemeralAuthority(nowMs);
    assert.throws(
      () => authority.issue('a.test', nowMs - 2 * dayMs),
      refusal('ca_key_unusable', /valid only from/),
    );
    assert.throws(
      () => authority.issue('a.test', nowMs + 3650 * dayMs),
      refusal('ca_key_unusable', /expired on/),
    );
    const last = authority.issue('a.test', nowMs + 3649 * dayMs);
    assert.equal(last.notAfterMs, nowMs + 3650 * dayMs);
    await withTemporaryDirectory(async (folder) => {
      await openCertificateAuthority(folder, { nowMs });
      const later = openCertificateAuthority(folder, { nowMs: nowMs + 4000 * dayMs });
      await assert.rejects(later, refusal('ca_key_unusable', /expired on .*rotate it/));
    });
  });

  test('works under Bun as well', { skip: skipWithout('bun') }, async () => {
    const module = new URL('../../src/pki/certificate-authority.ts', import.meta.url).href;
    const program = `
      const { createEphemeralAuthority } = await import(${JSON.stringify(module)});
      const authority = createEphemeralAuthority(${String(nowMs)});
      console.log(JSON.stringify([authority.certificatesPem, authority.issue('a.test', ${String(nowMs)}).certificatePem]));`;
    const [root, leaf] = JSON.parse(await mustRun('bun', ['-e', program])) as [string, string];
    assert.equal(new X509Certificate(leaf).verify(new X509Certificate(root).publicKey), true);
    assert.equal(new X509Certificate(leaf).subjectAltName, 'DNS:a.test');
  });
});

interface Scene {
  readonly folder: string;
  readonly bundle: string;
  readonly port: number;
}

/** A TLS server with the leaf of 127.0.0.1 or of a name, and the root in a file. */
async function withServer(
  authority: CertificateAuthority,
  host: string,
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (folder) => {
    const leaf = authority.issue(host, nowMs);
    const bundle = join(folder, 'bundle.pem');
    await writeFile(bundle, authority.certificatesPem);
    await writeFile(join(folder, 'leaf.pem'), leaf.certificatePem);
    const server: Server = createServer(
      { cert: leaf.certificatePem, key: String(leaf.privateKey) },
      (socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () =>
          socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'),
        );
      },
    );
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    // A listening server has an address with a port.
    const { port } = server.address() as AddressInfo;
    try {
      await use({ folder, bundle, port });
    } finally {
      server.close();
    }
  });
}

/** Python's default context is strict since 3.13. */
const pythonClient = `
import socket, ssl, sys
host, port, bundle = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=bundle)
context.verify_flags |= ssl.VERIFY_X509_STRICT
with socket.create_connection(('127.0.0.1', port), timeout=10) as raw:
    with context.wrap_socket(raw, server_hostname=host) as tls:
        print(tls.version(), tls.getpeercert()['subjectAltName'])
`;

describe('real clients verify the leaf against the root in their bundle', () => {
  const authority = createEphemeralAuthority(nowMs);

  for (const host of ['api.example.com', '127.0.0.1', '2001:db8::5']) {
    test(`openssl verify, strict, for ${host}`, { skip: skipWithout('openssl') }, async () => {
      await withServer(authority, host, async ({ folder, bundle }) => {
        const check = host.includes('.com') ? ['-verify_hostname', host] : ['-verify_ip', host];
        const verify = (more: readonly string[]): ReturnType<typeof runCommand> =>
          runCommand('openssl', [
            'verify',
            '-x509_strict',
            '-purpose',
            'sslserver',
            '-CAfile',
            bundle,
            ...more,
            join(folder, 'leaf.pem'),
          ]);
        const good = await verify(check);
        assert.equal(good.code, 0, good.stderr);
        const bad = await verify(['-verify_hostname', 'other.example.com']);
        assert.notEqual(bad.code, 0);
      });
    });
  }

  test('Python with VERIFY_X509_STRICT', { skip: skipWithout('python3') }, async () => {
    for (const host of ['api.example.com', '127.0.0.1']) {
      await withServer(authority, host, async ({ bundle, port }) => {
        const python = findTool('/usr/bin/python3') ?? 'python3';
        const result = await runCommand(python, ['-c', pythonClient, host, String(port), bundle]);
        assert.equal(result.code, 0, result.stderr);
        assert.match(result.stdout, /TLSv1\.3/);
        const wrong = await runCommand(python, [
          '-c',
          pythonClient,
          'other.example.com',
          String(port),
          bundle,
        ]);
        assert.match(wrong.stderr, /CERTIFICATE_VERIFY_FAILED/);
      });
    }
  });

  test('curl', { skip: skipWithout('curl') }, async () => {
    await withServer(authority, 'api.example.com', async ({ bundle, port }) => {
      const url = (host: string): string[] => [
        '--resolve',
        `${host}:${String(port)}:127.0.0.1`,
        `https://${host}:${String(port)}/`,
      ];
      const base = ['-sS', '--noproxy', '*', '--cacert', bundle];
      const result = await runCommand('curl', [...base, ...url('api.example.com')]);
      assert.equal(result.stdout, 'ok', result.stderr);
      const wrong = await runCommand('curl', [...base, ...url('other.example.com')]);
      assert.equal(wrong.code, 60, wrong.stderr);
    });
  });

  test('Node', async () => {
    await withServer(authority, 'api.example.com', async ({ port }) => {
      const attempt = async (servername: string): Promise<void> => {
        const socket = connect({ port, host: '127.0.0.1', servername, ca: authority.certificatesPem });
        await once(socket, 'secureConnect');
        socket.destroy();
      };
      await attempt('api.example.com');
      await assert.rejects(attempt('other.example.com'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    });
  });

  test('Bun', { skip: skipWithout('bun') }, async () => {
    await withServer(authority, '127.0.0.1', async ({ bundle, port }) => {
      const program = `
        const ca = await Bun.file(${JSON.stringify(bundle)}).text();
        const response = await fetch('https://127.0.0.1:${String(port)}/', { tls: { ca }, proxy: undefined });
        console.log(await response.text());`;
      const env = { ...process.env, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' };
      const result = await runCommand('bun', ['-e', program], { env });
      assert.equal(result.stdout.trim(), 'ok', result.stderr);
    });
  });

  test('Java', { skip: skipWithout('java', 'keytool') }, async () => {
    await withServer(authority, 'api.example.com', async ({ folder, bundle }) => {
      const store = join(folder, 'trust.p12');
      await mustRun('keytool', [
        '-importcert',
        '-noprompt',
        '-alias',
        'ca',
        '-file',
        bundle,
        '-keystore',
        store,
        '-storepass',
        'changeit',
        '-storetype',
        'PKCS12',
      ]);
      const listed = await mustRun('keytool', ['-list', '-keystore', store, '-storepass', 'changeit']);
      assert.match(listed, /trustedCertEntry/);
      // keytool prints a certificate only if Java's parser takes it.
      const leaf = await mustRun('keytool', ['-printcert', '-file', join(folder, 'leaf.pem')]);
      assert.match(leaf, /api\.example\.com/);
    });
  });

  test('GnuTLS', { skip: skipWithout('certtool') }, async () => {
    await withServer(authority, 'api.example.com', async ({ folder, bundle }) => {
      const verify = ['--verify', '--load-ca-certificate', bundle, '--verify-hostname', 'api.example.com'];
      const input = await readFile(join(folder, 'leaf.pem'));
      const result = await runCommand('certtool', [...verify], { input });
      assert.equal(result.code, 0, result.stdout + result.stderr);
    });
  });
});
