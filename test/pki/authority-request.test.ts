import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, randomInt, X509Certificate } from 'node:crypto';
import {
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openCertificateAuthority, readCertificateAuthority } from '../../src/pki/authority-folder.ts';
import { installAuthority, requestAuthority } from '../../src/pki/authority-request.ts';
import { makeNextAuthority, retireAuthorities, switchAuthority } from '../../src/pki/authority-rotation.ts';
import { createKey } from '../../src/pki/authority-key.ts';
import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';
import { authorityRequest } from '../../src/pki/certificate-request.ts';
import { splitPemCertificates } from '../../src/pki/pem.ts';
import { skipWithout } from '../support/tools.ts';
import { intermediateExtensions, offlineRoot, type OfflineRoot } from '../support/offline-root.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

/** Of each test: what it signs is valid from the second in which that was. */
let nowMs = Date.now();
const dayMs = 24 * 3_600_000;
const skip = skipWithout('openssl');

interface Folder {
  readonly directory: string;
  readonly root: OfflineRoot;
  readonly file: (name: string) => string;
  /** Names of its files, sorted. */
  readonly names: () => readonly string[];
  readonly install: (...pems: readonly string[]) => Promise<string>;
}

/** One for all tests: it takes long to make. */
const root = skip === false ? offlineRoot() : undefined;
after(() => root?.[Symbol.dispose]());

async function withFolder(run: (folder: Folder) => Promise<void>): Promise<void> {
  assert.ok(root !== undefined);
  nowMs = Date.now() + 60_000;
  await withTemporaryDirectory(async (directory) => {
    await run({
      directory,
      root,
      file: (name) => join(directory, name),
      names: () => readdirSync(directory).toSorted(),
      install: async (...pems) =>
        (await installAuthority({ directory }, pems.flatMap(splitPemCertificates), nowMs)).installed,
    });
  });
}

/** As a client that trusts these roots: OpenSSL, strict. */
function verifies(directory: string, roots: string, served: string): boolean {
  const [trusted, chain] = [join(directory, 'roots'), join(directory, 'served')];
  writeFileSync(trusted, roots);
  writeFileSync(chain, served);
  try {
    const args = ['-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'a.test'];
    execFileSync('openssl', ['verify', ...args, '-CAfile', trusted, '-untrusted', chain, chain], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  } finally {
    for (const path of [trusted, chain]) rmSync(path);
  }
}

describe('an authority below a root that somebody else keeps', { skip }, () => {
  test('is requested, signed and installed: leaves come with it, and the root alone is published', async () => {
    await withFolder(async ({ directory, root, file, names, install }) => {
      const request = await requestAuthority({ directory });
      assert.deepEqual(
        [names(), statSync(file('requested-ca.key')).mode & 0o777],
        [['requested-ca.key'], 0o600],
      );
      assert.equal(await install(root.sign(request), root.pem), 'signs');
      assert.deepEqual([names(), statSync(file('ca.key')).mode & 0o777], [['ca.key', 'ca.pem'], 0o600]);
      const authority = await openCertificateAuthority(directory, { nowMs });
      assert.equal(authority.certificatesPem, root.pem);
      const { certificatePem } = authority.issue('a.test', nowMs);
      assert.equal(splitPemCertificates(certificatePem).length, 2);
      assert.ok(verifies(directory, root.pem, certificatePem));
      const [alone = ''] = splitPemCertificates(certificatePem);
      assert.equal(verifies(directory, root.pem, alone), false);
    });
  });

  test('asks for what an authority needs, and a root that copies extensions has signed all of it', async () => {
    await withFolder(async ({ directory, root, install }) => {
      const request = await requestAuthority({ directory }, { commonName: 'Jobs of team (a)' });
      const shown = execFileSync('openssl', ['req', '-noout', '-text', '-verify'], {
        input: request,
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      assert.match(shown, /CN\s*=\s*Jobs of team \(a\) [0-9a-f]{8}/);
      assert.match(shown, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
      assert.match(shown, /Key Usage: critical\s+Certificate Sign, CRL Sign/);
      assert.match(shown, /TLS Web Server Authentication/);
      await assert.rejects(requestAuthority({ directory }, { commonName: 'a\nb' }), /common name/);
      assert.equal(await install(root.sign(request), root.pem), 'signs');
    });
  });

  test('is renewed at once below the same root, and the one of before is gone with its key', async () => {
    await withFolder(async ({ directory, root, names, file, install }) => {
      await install(root.sign(await requestAuthority({ directory })), root.pem);
      const first = await readCertificateAuthority(directory, { nowMs });
      const key = readFileSync(file('ca.key'), 'utf8');
      const signed = root.sign(await requestAuthority({ directory }));
      // The root is published already: it may be left out.
      assert.equal(await install(signed), 'signs');
      const second = await readCertificateAuthority(directory, { nowMs });
      assert.deepEqual([second.certificatesPem, second.etag], [first.certificatesPem, first.etag]);
      assert.notEqual(second.signerPem, first.signerPem);
      assert.notEqual(readFileSync(file('ca.key'), 'utf8'), key);
      assert.deepEqual([names(), await retireAuthorities({ directory })], [['ca.key', 'ca.pem'], 0]);
      for (const one of [first, second])
        assert.ok(verifies(directory, root.pem, one.issue('a.test', nowMs).certificatePem));
    });
  });

  test('stands below the root that ends last, where its keeper renewed it with the same key', async () => {
    await withFolder(async ({ directory, install }) => {
      using early = offlineRoot({ days: 30 });
      using late = early.renewed(3650);
      await install(early.sign(await requestAuthority({ directory })), early.pem);
      assert.equal(await install(late.sign(await requestAuthority({ directory })), late.pem), 'published');
      await switchAuthority({ directory }, { nowMs, atOnce: true });
      assert.ok((await readCertificateAuthority(directory, { nowMs })).notAfterMs > nowMs + 300 * dayMs);
      assert.equal(await retireAuthorities({ directory }), 1);
      assert.equal((await readCertificateAuthority(directory, { nowMs })).certificatesPem, late.pem);
    });
  });

  test('below another root it waits until that is published, and the old root goes with "ca retire"', async () => {
    await withFolder(async ({ directory, root, names, install }) => {
      const { certificatesPem: before } = await openCertificateAuthority(directory, { nowMs });
      assert.equal(await install(root.sign(await requestAuthority({ directory })), root.pem), 'published');
      assert.deepEqual(names(), ['ca.key', 'ca.pem', 'next-ca.key', 'next-ca.pem']);
      const waiting = await readCertificateAuthority(directory, { nowMs });
      assert.deepEqual([waiting.signerPem, waiting.certificatesPem], [before, before + root.pem]);
      await assert.rejects(switchAuthority({ directory }, { nowMs, atOnce: false }), /may lack it/);
      await switchAuthority({ directory }, { nowMs, atOnce: true });
      const signing = await readCertificateAuthority(directory, { nowMs });
      assert.equal(signing.certificatesPem, root.pem + before);
      assert.ok(verifies(directory, root.pem, signing.issue('a.test', nowMs).certificatePem));
      assert.equal(await retireAuthorities({ directory }), 1);
      assert.equal((await readCertificateAuthority(directory, { nowMs })).certificatesPem, root.pem);
      await assert.rejects(makeNextAuthority({ directory }, nowMs), /ca request/);
      await makeNextAuthority({ directory }, nowMs, { isOwnRoot: true });
    });
  });

  test('may stand below several, in any order, and a leaf ends with the first of them', async () => {
    await withFolder(async ({ directory, root, install }) => {
      const extensions = intermediateExtensions.map((one) => one.replace('pathlen:0', 'pathlen:1'));
      using middle = root.below('Middle', { extensions, days: 3 });
      const signed = middle.sign(await requestAuthority({ directory }));
      await install(root.pem, middle.pem, signed);
      const authority = await readCertificateAuthority(directory, { nowMs });
      const { certificatePem, notAfterMs } = authority.issue('a.test', nowMs);
      assert.ok(verifies(directory, root.pem, certificatePem));
      assert.equal(splitPemCertificates(certificatePem).length, 3);
      assert.equal(notAfterMs, new X509Certificate(middle.pem).validToDate.getTime());
      // Not that of the key: it is valid still.
      await assert.rejects(readCertificateAuthority(directory, { nowMs: nowMs + 4 * dayMs }), /expired on/);
    });
  });
});

describe('a chain that is refused changes nothing', { skip }, () => {
  interface Refused {
    readonly title: string;
    readonly message: RegExp;
    readonly chain: (folder: Folder, request: string) => readonly string[];
    readonly laterMs?: number;
  }
  const without = (name: string) => intermediateExtensions.filter((one) => !one.startsWith(name));
  const withExtension = (name: string, text: string) => [...without(name), text];
  const signed =
    (extensions: readonly string[]): Refused['chain'] =>
    ({ root }, request) => [root.sign(request, { extensions }), root.pem];
  const below =
    (options: Parameters<typeof offlineRoot>[0], digest = 'sha256'): Refused['chain'] =>
    (_, request) => {
      using other = offlineRoot(options);
      return [other.sign(request, { digest }), other.pem];
    };
  const cases: readonly Refused[] = [
    {
      title: 'of another key',
      message: /none of the certificates is of the key/,
      chain: ({ root }) => [root.sign(authorityRequest(createKey())), root.pem],
    },
    {
      title: 'that is not an authority',
      message: /CA:TRUE is missing/,
      chain: signed(withExtension('basicConstraints', 'basicConstraints=critical,CA:FALSE')),
    },
    {
      title: 'that may not sign certificates',
      message: /may not sign certificates/,
      chain: signed(withExtension('keyUsage', 'keyUsage=critical,digitalSignature,cRLSign')),
    },
    { title: 'without a key usage', message: /has no keyUsage/, chain: signed(without('keyUsage')) },
    {
      title: 'without the identifier of the key above it',
      message: /has no authorityKeyIdentifier/,
      chain: signed(withExtension('authorityKeyIdentifier', 'authorityKeyIdentifier=none')),
    },
    {
      title: 'for other purposes',
      message: /other purposes than servers/,
      chain: signed(withExtension('extendedKeyUsage', 'extendedKeyUsage=clientAuth')),
    },
    {
      title: 'that expired',
      message: /expired on/,
      chain: signed(intermediateExtensions),
      laterMs: 366 * dayMs,
    },
    {
      title: 'that is not valid yet',
      message: /valid only from/,
      chain: signed(intermediateExtensions),
      laterMs: -dayMs,
    },
    {
      title: 'below a root that allows none below it',
      message: /allows 0 authorities below it \(pathlen\), and there are 1/,
      chain: below({ basicConstraints: 'critical,CA:TRUE,pathlen:0' }),
    },
    {
      title: 'below one that allows none below it',
      message: /allows 0 authorities below it/,
      chain: ({ root }, request) => {
        using middle = root.below('Middle');
        return [middle.sign(request), middle.pem, root.pem];
      },
    },
    { title: 'of a weak root', message: /key that clients do not take/, chain: below({ key: ['rsa:1024'] }) },
    {
      title: 'of a root that clients do not know',
      message: /signed by an algorithm/,
      chain: below({ key: ['ed25519'] }),
    },
    { title: 'signed with SHA-1', message: /signed by an algorithm/, chain: below({}, 'sha1') },
    {
      title: 'without its root',
      message: /leads to no root/,
      chain: ({ root }, request) => [root.sign(request)],
    },
    {
      title: 'with a root of the same name and another key',
      message: /leads to no root/,
      chain: ({ root }, request) => {
        using other = offlineRoot();
        return [root.sign(request), other.pem];
      },
    },
    {
      title: 'with a root beside it',
      message: /does not belong to the chain/,
      chain: ({ root }, request) => [
        root.sign(request),
        root.pem,
        createEphemeralAuthority(nowMs).certificatesPem,
      ],
    },
    {
      title: 'whose root constrains it away',
      message: /outside of what its authority may certify/,
      chain: ({ root }, request) => {
        const extensions = [
          ...intermediateExtensions.map((one) => one.replace('pathlen:0', 'pathlen:1')),
          'nameConstraints=critical,excluded;dirName:everybody',
          '[everybody]',
        ];
        using middle = root.below('Middle', { extensions });
        return [middle.sign(request), middle.pem, root.pem];
      },
    },
  ];
  for (const { title, message, chain, laterMs = 0 } of cases) {
    test(title, async () => {
      await withFolder(async (folder) => {
        const { directory, names } = folder;
        const { certificatesPem: before } = await openCertificateAuthority(directory, { nowMs });
        const request = await requestAuthority({ directory });
        const pems = chain(folder, request).flatMap(splitPemCertificates);
        await assert.rejects(installAuthority({ directory }, pems, nowMs + laterMs), message);
        assert.deepEqual(names(), ['ca.key', 'ca.pem', 'requested-ca.key']);
        assert.equal((await readCertificateAuthority(directory, { nowMs })).certificatesPem, before);
      });
    });
  }

  test('of an earlier request: what was signed before is nobody’s any more', async () => {
    await withFolder(async ({ directory, root, install }) => {
      const old = root.sign(await requestAuthority({ directory }));
      await install(old, root.pem);
      await assert.rejects(install(old), /nothing was requested, or it was installed before/);
      const request = await requestAuthority({ directory });
      await assert.rejects(install(old), /none of the certificates is of the key/);
      // Asked for again it is the same key; asked for anew another one.
      assert.deepEqual(await publicKeyOf(request), await publicKeyOf(await requestAuthority({ directory })));
      await requestAuthority({ directory }, { isAnew: true });
      await assert.rejects(install(root.sign(request)), /none of the certificates is of the key/);
    });
  });

  test('where a link stands in place of a file', async () => {
    await withFolder(async ({ directory, root, file, install }) => {
      const signed = root.sign(await requestAuthority({ directory }));
      renameSync(file('requested-ca.key'), file('kept'));
      symlinkSync('kept', file('requested-ca.key'));
      await assert.rejects(install(signed, root.pem), /is a link/);
    });
  });
});

async function publicKeyOf(request: string): Promise<string> {
  return execFileSync('openssl', ['req', '-noout', '-pubkey'], { input: request, encoding: 'utf8' });
}

describe('an installation that is cut off or done twice', { skip }, () => {
  test('goes on behind each of its writes, below a new root and below the same one', async () => {
    for (const kind of ['same', 'other'] as const)
      await withFolder(async ({ directory, root, file, install }) => {
        if (kind === 'same') await install(root.sign(await requestAuthority({ directory })), root.pem);
        else await openCertificateAuthority(directory, { nowMs });
        const signed = root.sign(await requestAuthority({ directory }));
        const text = signed + root.pem;
        // Behind the first write, then behind the second.
        writeFileSync(file('next-ca.pem'), text);
        await readCertificateAuthority(directory, { nowMs });
        await assert.rejects(switchAuthority({ directory }, { nowMs, atOnce: true }), /has no key beside it/);
        if (kind === 'other') renameSync(file('requested-ca.key'), file('next-ca.key'));
        assert.equal(await install(signed, root.pem), kind === 'same' ? 'signs' : 'published');
        if (kind === 'other') await switchAuthority({ directory }, { nowMs, atOnce: true });
        const { certificatePem } = (await readCertificateAuthority(directory, { nowMs })).issue(
          'a.test',
          nowMs,
        );
        assert.ok(verifies(directory, root.pem, certificatePem));
      });
  });

  test('goes on with a first one whose certificate is missing', async () => {
    await withFolder(async ({ directory, root, file, names, install }) => {
      const signed = root.sign(await requestAuthority({ directory }));
      linkSync(file('requested-ca.key'), file('ca.key'));
      assert.equal(await install(signed, root.pem), 'signs');
      assert.deepEqual(names(), ['ca.key', 'ca.pem']);
    });
  });

  test('never takes the place of a key that a gateway made meanwhile', async () => {
    await withFolder(async ({ directory, root, file, install }) => {
      const signed = root.sign(await requestAuthority({ directory }));
      const theirs = createKey().export({ type: 'pkcs8', format: 'pem' });
      writeFileSync(file('ca.key'), theirs, { mode: 0o600 });
      await assert.rejects(install(signed, root.pem), /another was made meanwhile/);
      assert.equal(readFileSync(file('ca.key'), 'utf8'), theirs);
    });
  });

  test('of two at once both have what one of them installed, or one says why not', async () => {
    await withFolder(async ({ directory, root, file, names, install }) => {
      await install(root.sign(await requestAuthority({ directory })), root.pem);
      for (let round = 0; round < 2; round++) {
        const request = await requestAuthority({ directory });
        const chains = [root.sign(request), root.sign(request, { days: 100 + randomInt(100) })];
        const done = await Promise.allSettled(chains.map((one) => install(one)));
        const count = done.filter(({ status }) => status === 'fulfilled').length;
        assert.ok(count >= 1);
        assert.deepEqual(names(), ['ca.key', 'ca.pem']);
        const { signerPem, issue } = await readCertificateAuthority(directory, { nowMs });
        assert.ok(chains.includes(signerPem));
        const key = createPrivateKey(readFileSync(file('ca.key')));
        assert.ok(new X509Certificate(signerPem).checkPrivateKey(key));
        assert.ok(verifies(directory, root.pem, issue('a.test', nowMs).certificatePem));
      }
    });
  });
});
