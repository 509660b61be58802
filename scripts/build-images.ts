// `npm run build:images -- [--arch x64|arm64 …] [--agent-x64 FILE …] [--tag TAG] [--root DIR --runroot DIR] [--out DIR]`: images that have a single file, the
// libraries that it is linked with, the authorities of the system, and nothing else. By buildah, from packages of Debian; no image is pulled. With
// two architectures the tag is a manifest of both. The same input gives the same digest.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import {
  buildahIn,
  imageArchitectures,
  type ImageName,
  imageNames,
  makeImage,
  makeImageIndex,
} from './images/image-build.ts';
import { type Architecture, extractDebian } from './images/image-root.ts';
import { givenSingleFile } from './release/given-single-file.ts';
import { programLicenses } from './release/program-licenses.ts';

const { values } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: [process.arch] },
    'agent-x64': { type: 'string' },
    'agent-arm64': { type: 'string' },
    'gateway-x64': { type: 'string' },
    'gateway-arm64': { type: 'string' },
    tag: { type: 'string', default: 'latest' },
    root: { type: 'string' },
    runroot: { type: 'string' },
    out: { type: 'string' },
  },
});

const place = [
  ...(values.root === undefined ? [] : ['--root', resolve(values.root)]),
  ...(values.runroot === undefined ? [] : ['--runroot', resolve(values.runroot)]),
];

const buildah = buildahIn(place);

function exists(name: string): boolean {
  return buildah('images', '--format', '{{.Name}}:{{.Tag}}').split('\n').includes(name);
}

/** What `--agent-x64` and its like give, or one that is built. */
function singleFile(name: ImageName, architecture: Architecture): string {
  const option = `${name}-${architecture}` as const;
  const given = values[option];
  return givenSingleFile({ program: name, architecture, option: `--${option}`, given, work });
}

const wanted = values.arch.filter((one): one is Architecture => Object.hasOwn(imageArchitectures, one));
if (wanted.length !== values.arch.length) throw new Error('--arch is x64 or arm64');
// Folders have the same mode, whoever builds.
process.umask(0o022);
const work = mkdtempSync(join(tmpdir(), 'upstreamproxy-images-'));
try {
  const sources = wanted.map((architecture) => ({
    architecture,
    debian: extractDebian(join(work, `debian-${architecture}`), architecture),
  }));
  for (const name of imageNames) {
    const list = `localhost/upstreamproxy-${name}:${values.tag}`;
    const licences = programLicenses(name);
    const ids = sources.map(({ architecture, debian }) => {
      const file = singleFile(name, architecture);
      return makeImage(buildah, { name, architecture, file, licences, debian, work });
    });
    if (ids.length === 1) buildah('tag', ids[0] ?? '', list);
    else {
      // An earlier build may have left an image or a manifest of this name.
      if (exists(list)) buildah('rmi', list);
      makeImageIndex(buildah, list, ids);
    }
    console.log(`${list} ${ids.join(' ')}`);
    if (values.out === undefined) continue;
    mkdirSync(values.out, { recursive: true });
    const target = `oci-archive:${join(resolve(values.out), `upstreamproxy-${name}.tar`)}`;
    if (ids.length === 1) buildah('push', '--quiet', list, target);
    else buildah('manifest', 'push', '--all', list, target);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
