// What a request to a registry is about: its addresses, its old ones, and what registries could read in two ways.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type PackageRegistry,
  type PackageRequest,
  UnreadablePackage,
} from '../../../src/understand/packages/package-request.ts';
import { readerOf } from '../../../src/understand/packages/read-package.ts';
import { seededBelow } from '../../support/seeded.ts';

function read(registry: PackageRegistry, written: string): string {
  const [method = '', target = ''] = written.includes(' ') ? written.split(' ') : ['GET', written];
  const [path = '', query] = target.split('?');
  return shown(readerOf(registry)({ method, path, query: query === undefined ? '' : `?${query}` }));
}

function shown(request: PackageRequest | UnreadablePackage): string {
  if (request instanceof UnreadablePackage) return 'unreadable';
  const { use, name, version, isIndirect } = request;
  const what = name === undefined ? '' : ` ${name}${version === undefined ? '' : `@${version}`}`;
  return `${use}${what}${isIndirect === true ? ' indirect' : ''}`;
}

const digest = `sha256:${'a'.repeat(64)}`;

const tables: Readonly<Record<PackageRegistry, Readonly<Record<string, string>>>> = {
  npm: {
    '/lodash': 'metadata lodash',
    '/lodash/': 'metadata lodash',
    '/@s/n': 'metadata @s/n',
    '/@s%2fn': 'metadata @s/n',
    '/@s%2Fn': 'metadata @s/n',
    '/%40s%2Fn': 'metadata @s/n',
    '/lodash/4.17.21': 'metadata lodash@4.17.21',
    '/lodash/latest': 'metadata lodash indirect',
    '/lodash/-/lodash-4.17.21.tgz': 'archive lodash@4.17.21',
    '/@s/n/-/n-1.0.0-rc.1.tgz': 'archive @s/n@1.0.0-rc.1',
    '/@s%2fn/-/@s/n-1.0.0.tgz': 'archive @s/n@1.0.0',
    '/a-1.0.0/-/a-1.0.0-1.0.0.tgz': 'archive a-1.0.0@1.0.0',
    '/-/ping': 'registry',
    '/': 'registry',
    '/-/npm/v1/keys': 'registry',
    '/-/npm/v1/attestations/@s%2fn@1.0.0': 'metadata @s/n@1.0.0',
    '/-/package/lodash/dist-tags': 'metadata lodash indirect',
    '/-/v1/search?text=a': 'search',
    '/-/all': 'search',
    'POST /-/npm/v1/security/advisories/bulk': 'other',
    '/-/whoami': 'other',
    '/-/verdaccio/data/lodash': 'unreadable',
    '/-/lodash-1.0.0.tgz': 'unreadable',
    'PUT /lodash': 'publish lodash',
    'DELETE /-/package/lodash/dist-tags/next': 'publish lodash',
    '/lodash?write=true': 'metadata lodash indirect',
    '/lodash?write=true&x=1': 'unreadable',
    '/lodash/-/evil-1.0.0.tgz': 'unreadable',
    '/lodash/-/lodash-1.0.tgz': 'unreadable',
    '/lodash/-/lodash-v1.0.0.tgz': 'unreadable',
    '/lodash//-/lodash-1.0.0.tgz': 'unreadable',
    '//lodash': 'unreadable',
    '/lodash%2f-%2flodash-1.0.0.tgz': 'unreadable',
    '/lodash/%2d/lodash-1.0.0.tgz': 'archive lodash@1.0.0',
    '/lodash%00': 'unreadable',
    '/%256codash': 'unreadable',
    '/lod%C3%A4sh': 'unreadable',
    '/@s%2f..%2fn': 'unreadable',
    '/@s': 'unreadable',
    '/lodash/-/lodash-1.0.0.tgz/x': 'unreadable',
    '/lodash;v=1': 'unreadable',
  },
  pypi: {
    '/simple/': 'registry',
    '/simple/requests/': 'metadata requests',
    '/simple/Zope.Interface': 'metadata zope-interface',
    '/simple/a__b.-c/': 'metadata a-b-c',
    '/pypi/requests/json': 'metadata requests indirect',
    '/pypi/requests/2.0/json': 'metadata requests@2.0',
    '/packages/aa/bb/cc/requests-2.31.0-py3-none-any.whl': 'archive requests@2.31.0',
    '/packages/aa/bb/cc/requests-2.31.0-py3-none-any.whl.metadata': 'archive requests@2.31.0',
    '/packages/aa/bb/cc/a_b-1.0-1-cp39-cp39-linux_x86_64.whl': 'archive a-b@1.0',
    '/packages/aa/bb/cc/python-dateutil-2.8.2.tar.gz': 'archive python-dateutil@2.8.2',
    '/packages/aa/bb/cc/foo-1.0-py3.9.egg': 'archive foo@1.0',
    '/packages/aa/bb/cc/foo-1.0-1.tar.gz': 'unreadable',
    '/packages/aa/bb/cc/foo.tar.gz': 'unreadable',
    '/simple/foo/foo-1.0.zip': 'archive foo@1.0',
    '/simple/foo/bar-1.0.zip': 'unreadable',
    '/integrity/foo/1.0/foo-1.0.zip/provenance': 'metadata foo@1.0',
    'POST /pypi': 'other',
    'POST /legacy/': 'publish',
    '/search?q=a': 'search',
    '/simple/foo%2f': 'unreadable',
    '/simple//foo/': 'unreadable',
    '/simple/foo/?x=1': 'unreadable',
  },
  cargo: {
    '/config.json': 'registry',
    '/se/rd/serde': 'metadata serde',
    '/3/f/foo': 'metadata foo',
    '/2/ab': 'metadata ab',
    '/1/a': 'metadata a',
    '/se/rd/serde_json': 'metadata serde-json',
    '/se/rd/Serde': 'unreadable',
    '/aa/bb/serde': 'unreadable',
    '/crates/serde/serde-1.0.0.crate': 'archive serde@1.0.0',
    '/crates/serde/1.0.0/download': 'archive serde@1.0.0',
    '/api/v1/crates/serde/1.0.0/download': 'archive serde@1.0.0',
    '/api/v1/crates/serde': 'metadata serde indirect',
    '/api/v1/crates/serde/1.0.0': 'metadata serde@1.0.0',
    '/api/v1/crates?q=a': 'search',
    '/api/packages/o/cargo/api/v1/crates/serde/1.0.0/download': 'unreadable',
    'PUT /api/v1/crates/new': 'publish',
    'DELETE /api/v1/crates/serde/1.0.0/yank': 'publish serde@1.0.0',
    '/crates/serde/evil-1.0.0.crate': 'unreadable',
    '/crates/serde/serde-1.0.crate': 'unreadable',
  },
  go: {
    '/github.com/!azure/sdk/@v/list': 'metadata github.com/Azure/sdk',
    '/golang.org/x/text/@latest': 'metadata golang.org/x/text indirect',
    '/golang.org/x/text/@v/v0.3.7.info': 'metadata golang.org/x/text@v0.3.7',
    '/golang.org/x/text/@v/v0.3.7.mod': 'metadata golang.org/x/text@v0.3.7',
    '/golang.org/x/text/@v/v0.3.7.zip': 'archive golang.org/x/text@v0.3.7',
    '/golang.org/x/text/@v/v1.0.0+incompatible.zip': 'archive golang.org/x/text@v1.0.0+incompatible',
    '/golang.org/x/text/@v/master.info': 'metadata golang.org/x/text indirect',
    '/golang.org/x/text/@v/master.zip': 'unreadable',
    '/github.com/Azure/sdk/@v/list': 'unreadable',
    '/github.com/!!azure/@v/list': 'unreadable',
    '/a//b/@v/list': 'unreadable',
    '/sumdb/sum.golang.org/latest': 'registry',
    '/lookup/golang.org/x/text@v0.3.7': 'registry',
    '/tile/8/0/x001/234.p/5': 'registry',
    '/tile/8/data/001': 'registry',
    '/sumdb/sum.golang.org/lookup/github.com/!azure/sdk@v1.0.0+incompatible': 'registry',
    '/sumdb/sum.golang.org/supported': 'registry',
    '/latest': 'registry',
    '/lookup/evil/@v/v1.0.0.zip': 'unreadable',
    '/tile/evil/@v/list': 'unreadable',
    '/tile/8/evil': 'unreadable',
    '/sumdb/evil/@v/v1.0.0.zip': 'unreadable',
    // What proxy.golang.org takes for a part of its own address.
    '/cached-only/golang.org/x/text/@v/v0.3.7.zip': 'unreadable',
    '/cached-only/golang.org/x/text/@v/list': 'unreadable',
    '/-a.test/x/@v/list': 'unreadable',
    '/sumdb/sum.golang.org/evil': 'unreadable',
    '/latest/x': 'unreadable',
  },
  maven: {
    '/org/example/app/maven-metadata.xml': 'metadata org.example:app',
    '/org/example/app/maven-metadata.xml.sha1': 'metadata org.example:app',
    '/org/example/app/1.0-SNAPSHOT/maven-metadata.xml': 'metadata org.example:app@1.0-SNAPSHOT',
    '/org/example/app/1.0/app-1.0.jar': 'archive org.example:app@1.0',
    '/org/example/app/1.0/app-1.0-sources.jar.asc': 'archive org.example:app@1.0',
    '/org/example/app/1.0/app-1.0.pom.sha1': 'archive org.example:app@1.0',
    '/org/example/app/1.0-SNAPSHOT/app-1.0-20240101.120000-1.jar': 'archive org.example:app@1.0-SNAPSHOT',
    '/org/example/app/1.0/app-1.01.jar': 'unreadable',
    '/org/example/app/1.0/evil-1.0.jar': 'unreadable',
    '/org/example/app/1.0-SNAPSHOT/app-1.0-evil.jar': 'unreadable',
    '/app-1.0.jar': 'unreadable',
    'PUT /org/example/app/1.0/app-1.0.jar': 'publish',
  },
  rubygems: {
    '/versions': 'registry',
    '/names': 'registry',
    '/specs.4.8.gz': 'registry',
    '/info/rails': 'metadata rails',
    '/gems/rails-7.1.0.gem': 'archive rails@7.1.0',
    '/gems/nokogiri-1.16.0-x86_64-linux.gem': 'archive nokogiri@1.16.0',
    '/gems/net-http-2.gem': 'archive net-http@2',
    '/gems/foo-2-x86-1.0.gem': 'unreadable',
    '/gems/foo.gem': 'unreadable',
    '/quick/Marshal.4.8/rails-7.1.0.gemspec.rz': 'metadata rails@7.1.0',
    '/api/v1/versions/rails.json': 'metadata rails indirect',
    '/api/v2/rubygems/rails/versions/7.1.0.json': 'metadata rails@7.1.0',
    '/api/v1/dependencies?gems=rails': 'unreadable',
    'POST /api/v1/gems': 'publish',
    '/info/rails?x': 'unreadable',
  },
  oci: {
    '/v2/': 'registry',
    '/token?service=a&scope=b': 'registry',
    '/v2/library/nginx/manifests/1.27': 'archive library/nginx@1.27',
    [`/v2/library/nginx/manifests/${digest}`]: `archive library/nginx@${digest}`,
    [`/v2/library/nginx/blobs/${digest}`]: 'archive library/nginx',
    '/v2/library/nginx/tags/list?n=5': 'metadata library/nginx',
    [`/v2/library/nginx/referrers/${digest}`]: 'metadata library/nginx',
    'POST /v2/library/nginx/blobs/uploads/': 'publish library/nginx',
    'POST /v2/library/nginx/blobs/uploads/?mount=sha256:a&from=denied/app': 'unreadable',
    'POST /v2/library/nginx/blobs/uploads/?%66rom=denied/app': 'unreadable',
    'PUT /v2/library/nginx/blobs/uploads/abc?digest=sha256:a': 'publish library/nginx',
    '/v2/library/nginx/blobs/uploads/abc': 'publish library/nginx',
    'PUT /v2/library/nginx/manifests/1.27': 'publish library/nginx@1.27',
    '/v2/_catalog': 'search',
    '/v2/Library/nginx/manifests/1': 'unreadable',
    '/v2/a//b/manifests/1': 'unreadable',
    '/v2/manifests/1': 'unreadable',
    '/v1/repositories/x/tags': 'unreadable',
  },
};

for (const [registry, table] of Object.entries(tables))
  describe(registry, () => {
    for (const [written, expected] of Object.entries(table))
      test(`${written} is ${expected}`, () => {
        // The keys are those of the record.
        assert.equal(read(registry as PackageRegistry, written), expected);
      });
  });

/** What an attacker writes into an address so that a registry reads another one than we do. */
const twists: readonly ((path: string, at: number) => string)[] = [
  (path, at) => path.slice(0, at) + encoded(path[at]) + path.slice(at + 1),
  (path, at) => path.slice(0, at) + encoded(path[at]).toLowerCase() + path.slice(at + 1),
  (path, at) => path.slice(0, at) + encoded(path[at]).replace('%', '%25') + path.slice(at + 1),
  (path, at) => `${path.slice(0, at)}/${path.slice(at)}`,
  (path, at) => `${path.slice(0, at)}/./${path.slice(at)}`,
  (path, at) => `${path.slice(0, at)}/../${path.slice(at)}`,
  (path, at) => `${path.slice(0, at)}%2e%2e%2f${path.slice(at)}`,
  (path, at) => `${path.slice(0, at)}%2F${path.slice(at)}`,
  (path, at) => `${path.slice(0, at)}%00${path.slice(at)}`,
  (path, at) => `${path.slice(0, at)};x${path.slice(at)}`,
  (path, at) => `${path.slice(0, at)}%3F${path.slice(at)}`,
  (path, at) => `${path.slice(0, at)}\\${path.slice(at)}`,
  (path) => `${path}?x=1`,
  (path) => `${path}/`,
  (path) => `${path}%20`,
  (path) => `${path}.`,
];
const encoded = (char = ''): string => `%${char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`;

/** As registries do that decode, merge slashes, resolve dots and cut what they do not know: the loosest reading there is. */
function loose(written: string): string {
  let path = written;
  for (let i = 0; i < 2; i++)
    path = path.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return path;
}

test('however an address is twisted, it is the same package, or one that its own letters spell, or none', () => {
  const pick = seededBelow(20);
  let same = 0;
  for (let round = 0; round < 20_000; round++) {
    const registries = Object.keys(tables) as PackageRegistry[];
    const registry = registries[pick(registries.length)] ?? 'npm';
    const rows = Object.entries(tables[registry]).filter(([, what]) => /^(?:archive|metadata)/.test(what));
    const [written = ''] = rows[pick(rows.length)] ?? [];
    let path = written;
    for (let n = 1 + pick(2); n > 0; n--)
      path = twists[pick(twists.length)]?.(path, 1 + pick(path.length - 1)) ?? path;
    const result = read(registry, path);
    if (result === 'unreadable') continue;
    const own = read(registry, written);
    if (result === own) same += 1;
    // Each part of what was read stands in the address as the loosest registry reads it.
    const letters = loose(path).toLowerCase().replaceAll('!', '').replaceAll('_', '-');
    const [, name = '', version = ''] = / ([^ ]+?)(?:@([^@ ]+))?(?: |$)/.exec(result) ?? [];
    const parts = [...name.toLowerCase().split(/[:/.-]/), version.toLowerCase()];
    for (const part of parts) assert.ok(letters.includes(part), `${registry} ${path} is read as ${result}`);
    assert.ok(!/%|\\|\/\/|\/\.\.?\//.test(name + version), `${path} is read as ${result}`);
  }
  assert.ok(same > 500, `only ${String(same)} kept their reading`);
});
