// Readers of what registries of packages are asked for, and of what they tell.

import assert from 'node:assert/strict';
import { readBucketEntry } from '../../../src/gateway/cache/bucket-entry.ts';
import { readPage } from '../../../src/gateway/cache/bucket-page.ts';
import { keptHead } from '../../../src/gateway/cache/cache-entry.ts';
import { Freshness } from '../../../src/gateway/cache/metadata-freshness.ts';
import { dated, madeMs } from '../../../src/gateway/cache/response-age.ts';
import { storedResponse } from '../../../src/gateway/cache/stored-response.ts';
import { isOfMetadata } from '../../../src/gateway/exchange/metadata-form.ts';
import { askedForPackage } from '../../../src/gateway/exchange/package-filter.ts';
import { cvssSeverity } from '../../../src/gateway/packages/advisories/cvss-severity.ts';
import { boundedEntries, boundedLine } from '../../../src/gateway/packages/advisories/bounded-advisories.ts';
import { mergedAdvisories } from '../../../src/gateway/packages/advisories/merged-advisories.ts';
import { readOsvRecord } from '../../../src/gateway/packages/advisories/osv-record.ts';
import { publicDatabaseKey } from '../../../src/gateway/packages/checksums/checksum-database.ts';
import { ModFileHash } from '../../../src/gateway/packages/checksums/module-zip.ts';
import { noteKey, openHead } from '../../../src/gateway/packages/checksums/signed-note.ts';
import { fieldOf, numberAt, sizesIn } from '../../../src/gateway/packages/checksums/zip-fields.ts';
import { inRange, namesPackage, parsePackagePattern } from '../../../src/policy/package-pattern.ts';
import { attestationsIn, attestedDigest } from '../../../src/understand/packages/attestation.ts';
import { matchesRepository } from '../../../src/policy/package-provenance.ts';
import { cargoIndexPath, isCrateName } from '../../../src/understand/packages/cargo-request.ts';
import { readGemVersions } from '../../../src/understand/packages/gem-versions.ts';
import { namedInManifest } from '../../../src/understand/packages/image-manifest.ts';
import { listReaderOf } from '../../../src/understand/packages/listed-versions.ts';
import { compareMaven, readMaven } from '../../../src/understand/packages/maven-order.ts';
import { isNpmName } from '../../../src/understand/packages/npm-request.ts';
import { isImageName } from '../../../src/understand/packages/oci-request.ts';
import { packageRegistries, segmentsIn } from '../../../src/understand/packages/package-request.ts';
import { comparePep440, readPep440 } from '../../../src/understand/packages/pep440-order.ts';
import { timeOf } from '../../../src/understand/packages/publish-time.ts';
import { publishedRegistries, readPublication } from '../../../src/understand/packages/publication.ts';
import { readPypiFile } from '../../../src/understand/packages/pypi-request.ts';
import { nameIn, readerOf } from '../../../src/understand/packages/read-package.ts';
import { compareRubygems, readRubygems } from '../../../src/understand/packages/rubygems-order.ts';
import { simplePage } from '../../../src/understand/packages/simple-page.ts';
import { versionOrders } from '../../../src/understand/packages/version-order.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { unmeasured } from '../../../src/policy/matching-work.ts';
import { formBoundaryOf, partsOf } from '../../../src/understand/multipart-parts.ts';
import { UnreadableBody } from '../../../src/understand/json-value.ts';
import { type GrowthCases, latin1, tried } from './growth-case.ts';

const each = (...reads: readonly (() => unknown)[]): void => {
  for (const read of reads) tried(read);
};

const slsa = 'https://slsa.dev/provenance/v1';

export const packageCases: GrowthCases = {
  'requests to registries of packages': {
    pieces: ['/', 'a', '-', '1.0', '%2f', '@', '.', '1', '@v', 'simple/', '.tgz', '-1'],
    read: (text) =>
      each(
        () => askedForPackage(new HeaderList([['accept', text]]), { registry: 'npm' }),
        ...packageRegistries.flatMap((registry) =>
          [`/${text}`, `/a/-/a-${text}.tgz`, `/gems/${text}.gem`, `/packages/${text}.zip`].map(
            (path) => () => readerOf(registry)({ method: 'GET', path, query: '' }),
          ),
        ),
        () => [segmentsIn(`/${text}`), readPypiFile(`${text}.zip`), isNpmName(text), isImageName(text)],
        ...packageRegistries.map((registry) => () => [
          versionOrders[registry].compare(text, `1${text}`),
          nameIn(registry, text),
        ]),
        () => {
          const pattern = parsePackagePattern('a*a*aab@>=1.0.0 <2.0.0', 'npm');
          assert.ok(typeof pattern !== 'string');
          return [namesPackage(pattern, text, unmeasured), inRange(pattern, text, 'npm', unmeasured)];
        },
        () => [timeOf(text), cargoIndexPath(text)],
        () => storedResponse({ bytes: 10, fields: [], storedMs: 0 }, `bytes=${text}`, 0).status,
        () =>
          readPage(`<Contents>${text}</Contents><IsTruncated>true</IsTruncated>${text}`, 'p/').objects.length,
        () => readBucketEntry(`[${text}`, { key: 'k', promised: 'p', nowMs: 0 }),
        () => keptHead(new HeaderList([['etag', text]])).length,
        () => {
          const said = new HeaderList([
            ['age', text],
            ['date', text],
          ]);
          return dated(Array.from(said), madeMs(said, 0)).length;
        },
        () => isOfMetadata(new HeaderList([['content-type', text]]), 'npm'),
        () => {
          const form = { url: 'https://a.test/', accept: text, cacheControl: text };
          const said: [string, string][] = ['cache-control', 'vary', 'etag'].map((name) => [name, text]);
          const fresh = said.map((field) => Freshness.of(form, new HeaderList([field]), () => 1));
          return [
            fresh.map((one) => one?.isFresh(form, 1)),
            Freshness.of(form, new HeaderList(), () => 1)?.isFresh(form, 1),
          ];
        },
        ...(['pypi', 'cargo', 'go', 'rubygems'] as const).map((registry) => () => {
          const bounds = { versionsMax: 1 << 22, depthMax: 64 };
          const file = JSON.stringify({ filename: `a-${text}.zip` });
          const lists = [`${text}\n`, `{"files":[${file}]}`, `{"vers":"1.0.0"}${text}\n`].map(latin1);
          return lists.map((octets) => {
            const list = listReaderOf(registry, bounds, 'a')?.end(octets);
            return list instanceof UnreadableBody
              ? list.reason
              : list?.show(
                  () => false,
                  () => '',
                ).pieces;
          });
        }),
        ...[
          text,
          `[{"number":"${text}","created_at":"${text}","sha":"${text}"}]`,
          `[${'{"number":"1"},'.repeat(text.length / 64)}{}]`,
        ].map((body) => () => readGemVersions(latin1(body), 1 << 22)?.times.size),
        ...[text, `{"config":{"digest":"${text}"}}`, `{"layers":[${'{},'.repeat(text.length / 16)}{}]}`].map(
          (body) => () => namedInManifest(latin1(body), 1 << 22)?.length,
        ),
        () => attestationsIn('npm', latin1(text), 16),
        () => attestationsIn('pypi', latin1(`{"attestation_bundles":[{"attestations":[${text}]}]}`), 16),
        () => {
          const about = { registry: 'pypi', name: 'a', version: '1.0', file: `a-${text}.zip` } as const;
          const subject = [{ name: `a-${text}.whl`, digest: { sha256: text } }];
          const statement = { _type: 'https://in-toto.io/Statement/v1', predicateType: slsa, subject };
          return attestedDigest(latin1(JSON.stringify(statement)), about);
        },
        () => matchesRepository(`https://a.test/*${text}*`, `https://a.test/${text}${text}`),
        () => simplePage(JSON.stringify({ files: [{ filename: text, url: text }] })),
        () => [
          comparePep440(readPep440(`1${text}`), readPep440('1')),
          compareRubygems(readRubygems(text), readRubygems(text)),
          compareMaven(readMaven(text), readMaven(`a${text}`)),
        ],
      ),
  },
  'bodies that publish packages': {
    pieces: ['--b\r\n', '--b', '\r\n', 'a', '"', '{"versions":', '\0'],
    read: (text) => {
      const octets = latin1(text);
      const headers = new HeaderList([['content-type', 'multipart/form-data; boundary=b']]);
      const form = latin1(
        `--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n${text}\r\n--b\r\n\r\n--b--`,
      );
      const tools = {
        digestOf: () => '',
        octetsOfBase64: () => octets,
        unpackedStart: (packed: Uint8Array) => packed,
      };
      const asked = { use: 'publish', name: 'a', version: text } as const;
      each(
        ...publishedRegistries.map(
          (registry) => () => readPublication(registry, { asked, headers, octets }, tools),
        ),
        () => readPublication('pypi', { asked, headers, octets: form }, tools),
        () => partsOf(form, 'b', /^a$/),
        () => [isCrateName(text), formBoundaryOf(`multipart/form-data; boundary=${text}`)],
      );
    },
  },
  'what a checksum database says, and headers of a zip': {
    pieces: ['\n', '\n\n', '\u00e2\u0080\u0094 a ', 'a', ' ', '+', '\0', '\u0001\u0000\u0004\u0000'],
    read: (text) => {
      const key = noteKey(publicDatabaseKey);
      assert.ok(key !== undefined);
      const octets = Buffer.from(latin1(text));
      const hash = new ModFileHash();
      each(
        () => openHead(`go.sum database tree\n${text}\n\n${text}\n`, key),
        () => noteKey(`a+00000000+${text}`),
        () => fieldOf(octets, 1)?.length,
        () => sizesIn(octets, { packedBytes: 1, bytes: 1 }),
        () => numberAt(octets, 0),
        () => {
          hash.push(octets);
          return hash.end();
        },
      );
    },
  },
  'records of advisories': {
    pieces: ['1.0.0', '"},{"fixed":"', 'CVSS:3.1/', 'AV:N/', '","'],
    read: (text) =>
      each(
        () => cvssSeverity(text),
        () => cvssSeverity(`CVSS:4.0/${text}`),
        () =>
          readOsvRecord(
            `{"id":"GHSA-1","modified":"2030-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"PyPI","name":"a"},"ranges":[{"events":[{"introduced":"${text}"}]}],"versions":["${text}"]}]}`,
          ),
        () => readOsvRecord(text),
        () => {
          const affected = { ranges: [], versions: text.split('"') };
          const entries = boundedEntries([{ id: 'GHSA-1', aliases: [], level: 'low', affected }]);
          return boundedLine('maven\ta', mergedAdvisories(entries, 'maven')).length;
        },
      ),
  },
};
