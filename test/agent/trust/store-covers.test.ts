import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { certificatesIn } from '../../../src/agent/trust/certificate-list.ts';
import { StoreCovers } from '../../../src/agent/trust/store-covers.ts';
import { javaKeyStore } from '../../../src/pki/java-key-store.ts';
import { hashedNames } from '../../../src/pki/subject-hash.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const roots = createTestAuthority().caPem;
const own = createTestAuthority().caPem;
const [ownHash = ''] = hashedNames(certificatesIn(own));
const java = javaKeyStore(certificatesIn(roots), 'changeit', 1);
const appended = `${roots}\n# Written by upstreamproxy for one session; removed when it ends.\n${own}`;

interface Layout {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly folders?: readonly string[];
}

/** All names in it; a link is one, and is not followed. */
function namesBelow(folder: string): readonly string[] {
  const names: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    names.push(entry.name);
    if (entry.isDirectory()) names.push(...namesBelow(join(folder, entry.name)));
  }
  return names;
}

/** What the command sees at each covered path: contents by path below the root. */
async function seen(
  { files = {}, links = {}, folders = [] }: Layout,
  { isKnown = true }: { readonly isKnown?: boolean } = {},
): Promise<Readonly<Record<string, string>>> {
  let result: Record<string, string> = {};
  await withTemporaryDirectory(async (folder) => {
    const root = join(realpathSync(folder), 'root');
    mkdirSync(root);
    for (const path of folders) mkdirSync(join(root, path), { recursive: true });
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    }
    for (const [path, target] of Object.entries(links)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      symlinkSync(target, join(root, path));
    }
    const ownCa = join(root, 'ca.pem');
    writeFileSync(ownCa, own);
    const covers = new StoreCovers(root);
    const paths = covers.places(false).map(({ path }) => path);
    const depths = paths.map((path) => path.split('/').length);
    assert.deepEqual(
      depths,
      depths.toSorted((a, b) => b - a),
      'the innermost first',
    );
    for (const cover of covers.places(false)) assert.ok(cover.keepsOthers || cover.entries === undefined);
    const before = namesBelow(root);
    const contents = covers.contents(paths, isKnown ? ownCa : undefined);
    const text = (base64: string): string => Buffer.from(base64, 'base64').toString('latin1');
    const found: Record<string, string> = {};
    for (const { path, content, entries = [] } of contents) {
      const at = path.slice(root.length);
      if (content !== undefined) found[at] = text(content);
      for (const entry of entries) found[join(at, entry.name)] = text(entry.content);
    }
    result = found;
    assert.deepEqual(namesBelow(root), before);
    // Nothing is told for a path that was not covered.
    assert.deepEqual(covers.contents([], ownCa), []);
  });
  return result;
}

const layouts: readonly {
  readonly name: string;
  readonly layout: Layout;
  readonly bundles: readonly string[];
  readonly hashed: readonly string[];
  readonly java?: string;
  readonly anchor?: string;
}[] = [
  {
    name: 'Debian',
    layout: {
      files: {
        '/etc/ssl/certs/ca-certificates.crt': roots,
        '/etc/ssl/certs/java/cacerts': java,
        '/etc/ssl/certs/own.pem': roots,
      },
      links: { '/usr/lib/ssl/cert.pem': '/etc/ssl/certs/ca-certificates.crt' },
    },
    bundles: ['/etc/ssl/certs/ca-certificates.crt'],
    hashed: ['/etc/ssl/certs'],
    java: '/etc/ssl/certs/java/cacerts',
  },
  {
    name: 'Alpine',
    layout: {
      files: { '/etc/ssl/certs/ca-certificates.crt': roots },
      links: { '/etc/ssl/cert.pem': 'certs/ca-certificates.crt' },
    },
    bundles: ['/etc/ssl/certs/ca-certificates.crt'],
    hashed: ['/etc/ssl/certs'],
  },
  {
    name: 'Alpine without its package',
    layout: { files: { '/etc/ssl/cert.pem': roots } },
    bundles: ['/etc/ssl/cert.pem'],
    hashed: [],
  },
  {
    name: 'Fedora',
    layout: {
      files: {
        '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem': roots,
        '/etc/pki/ca-trust/extracted/openssl/ca-bundle.trust.crt': roots,
        '/etc/pki/ca-trust/extracted/java/cacerts': java,
      },
      links: {
        '/etc/pki/tls/certs/ca-bundle.crt': '../../ca-trust/extracted/pem/tls-ca-bundle.pem',
        '/etc/pki/java/cacerts': '../ca-trust/extracted/java/cacerts',
        '/etc/ssl/certs': '../pki/tls/certs',
      },
      folders: ['/etc/pki/ca-trust/extracted/pem/directory-hash', '/usr/share/pki/ca-trust-source/anchors'],
    },
    bundles: [
      '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
      '/etc/pki/ca-trust/extracted/openssl/ca-bundle.trust.crt',
    ],
    hashed: ['/etc/pki/tls/certs', '/etc/pki/ca-trust/extracted/pem/directory-hash'],
    java: '/etc/pki/ca-trust/extracted/java/cacerts',
    anchor: '/usr/share/pki/ca-trust-source/anchors',
  },
  {
    name: 'Arch',
    layout: {
      files: { '/etc/ca-certificates/extracted/tls-ca-bundle.pem': roots },
      links: {
        '/etc/ssl/certs/ca-certificates.crt': '../../ca-certificates/extracted/tls-ca-bundle.pem',
        '/etc/ssl/cert.pem': '../ca-certificates/extracted/tls-ca-bundle.pem',
      },
      folders: ['/etc/ca-certificates/extracted/cadir', '/usr/share/ca-certificates/trust-source/anchors'],
    },
    bundles: ['/etc/ca-certificates/extracted/tls-ca-bundle.pem'],
    hashed: ['/etc/ssl/certs', '/etc/ca-certificates/extracted/cadir'],
    anchor: '/usr/share/ca-certificates/trust-source/anchors',
  },
  {
    name: 'SUSE',
    layout: {
      files: {
        '/var/lib/ca-certificates/ca-bundle.pem': roots,
        '/var/lib/ca-certificates/java-cacerts': java,
      },
      links: {
        '/etc/ssl/ca-bundle.pem': '/var/lib/ca-certificates/ca-bundle.pem',
        '/etc/ssl/certs': '../../var/lib/ca-certificates/pem',
      },
      folders: [
        '/var/lib/ca-certificates/pem',
        '/var/lib/ca-certificates/openssl',
        '/usr/share/pki/trust/anchors',
      ],
    },
    bundles: ['/var/lib/ca-certificates/ca-bundle.pem'],
    hashed: ['/var/lib/ca-certificates/pem', '/var/lib/ca-certificates/openssl'],
    java: '/var/lib/ca-certificates/java-cacerts',
    anchor: '/usr/share/pki/trust/anchors',
  },
];

for (const { name, layout, bundles, hashed, java: store, anchor } of layouts)
  test(`the CA is in every store of ${name}, beside what is there`, async () => {
    const contents = await seen(layout);
    for (const path of bundles) assert.equal(contents[path], appended, path);
    for (const folder of hashed) assert.ok(contents[`${folder}/${ownHash}`]?.endsWith(own), folder);
    if (store !== undefined)
      assert.equal(Buffer.from(contents[store] ?? '', 'latin1').readUInt32BE(8), 2, store);
    if (anchor !== undefined) assert.ok(contents[`${anchor}/upstreamproxy.pem`]?.endsWith(own));
    const expected = bundles.length + hashed.length + [store, anchor].filter(Boolean).length;
    assert.equal(Object.keys(contents).length, expected, Object.keys(contents).join(' '));
  });

test('without the CA every store is as it is outside, and nothing is added', async () => {
  for (const { layout, bundles, java: store } of layouts) {
    const contents = await seen(layout, { isKnown: false });
    for (const path of bundles) assert.equal(contents[path], roots, path);
    if (store !== undefined) assert.ok(Buffer.from(contents[store] ?? '', 'latin1').equals(java));
    assert.equal(Object.keys(contents).length, bundles.length + (store === undefined ? 0 : 1));
  }
});

test('policies of browsers are made in folders that are there, and beside those of the administrator', async () => {
  const files = {
    '/etc/chromium/master_preferences': '{}',
    '/usr/share/firefox-esr/distribution/distribution.ini': '',
    '/etc/firefox/policies/policies.json': JSON.stringify({
      policies: {
        DisableTelemetry: true,
        Certificates: { ImportEnterpriseRoots: true, Install: ['own.pem'] },
      },
    }),
  };
  const links = { '/usr/lib/firefox-esr/distribution': '../../share/firefox-esr/distribution' };
  const contents = await seen({ files, links, folders: ['/etc/opt', '/opt/firefox'] });
  const [certificate] = certificatesIn(own);
  for (const place of ['/etc/chromium', '/etc/opt/chrome', '/etc/opt/chrome_for_testing'])
    assert.deepEqual(JSON.parse(contents[`${place}/policies/managed/upstreamproxy.json`] ?? ''), {
      CACertificates: [Buffer.from(certificate ?? []).toString('base64')],
    });
  const install = ['/certificates/1.pem'];
  for (const folder of ['/usr/share/firefox-esr', '/opt/firefox'])
    assert.deepEqual(JSON.parse(contents[`${folder}/distribution/policies.json`] ?? ''), {
      policies: { Certificates: { Install: install } },
    });
  assert.deepEqual(JSON.parse(contents['/etc/firefox/policies/policies.json'] ?? ''), {
    policies: {
      DisableTelemetry: true,
      Certificates: { ImportEnterpriseRoots: true, Install: ['own.pem', ...install] },
    },
  });
  // Where the session did not come about, they say nothing.
  const without = await seen({ files, links, folders: ['/etc/opt'] }, { isKnown: false });
  assert.equal(without['/etc/opt/chrome/policies/managed/upstreamproxy.json'], '{}\n');
  assert.equal(without['/etc/firefox/policies/policies.json'], files['/etc/firefox/policies/policies.json']);
});

test('what is no store of the usual form stays as it is, and of folders with much else nothing is covered', async () => {
  const odd: Layout = {
    files: {
      '/etc/ssl/certs/java/cacerts': 'a store of another form',
      '/etc/firefox/policies/policies.json': 'no JSON',
    },
    folders: ['/usr/lib', '/opt'],
    links: { '/etc/ssl/certs/ca-certificates.crt': 'nowhere', '/etc/chromium': 'chromium' },
  };
  const contents = await seen(odd);
  assert.deepEqual(Object.keys(contents).toSorted(), [
    '/etc/firefox/policies/policies.json',
    `/etc/ssl/certs/${ownHash}`,
    '/etc/ssl/certs/java/cacerts',
  ]);
  assert.equal(contents['/etc/firefox/policies/policies.json'], 'no JSON');
  assert.equal(contents['/etc/ssl/certs/java/cacerts'], 'a store of another form');
  assert.deepEqual(await seen({ folders: ['/etc', '/usr/lib'] }), {});
});

test('a store of Mono is made where Mono is and has none', async () => {
  const trust = '/usr/share/.mono/new-certs/Trust';
  for (const folder of ['/usr/share/.mono', trust]) {
    const contents = await seen({ folders: [folder] });
    assert.ok(contents[`${trust}/${ownHash}`]?.endsWith(own), folder);
    assert.equal(Object.keys(contents).length, 1);
  }
  assert.deepEqual(await seen({ folders: ['/usr/share'] }), {});
});

test('a certificate of the same hash keeps its number', async () => {
  const taken = `/etc/ssl/certs/${ownHash}`;
  const contents = await seen({ files: { [taken]: roots } });
  assert.ok(contents[taken.replace(/0$/, '1')]?.endsWith(own));
  assert.equal(contents[taken], undefined);
});
