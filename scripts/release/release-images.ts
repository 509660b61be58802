// The images of a release: for each program one archive that has the images of all architectures, and beside it the manifests, each as a file whose
// SHA-256 is the digest by which a registry knows it.

import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import {
  buildahIn,
  imageArchitectures,
  type ImageName,
  makeImage,
  makeImageIndex,
} from '../images/image-build.ts';
import { type DebianArchive, type DebianRoot, extractDebian } from '../images/image-root.ts';
import { type Architecture, architectures } from './target-node.ts';

export interface ReleasedImage {
  readonly name: string;
  /** The file with all of it, in the format of OCI. */
  readonly archive: string;
  /** Of the index, which names the images of all architectures. */
  readonly digest: string;
  readonly platforms: readonly { readonly architecture: Architecture; readonly digest: string }[];
}

export interface ReleaseImages {
  /** Of the release. */
  readonly folder: string;
  /** Of the build; what is in it is removed by whoever made it. */
  readonly work: string;
  readonly version: string;
  readonly programs: readonly {
    readonly kind: ImageName;
    /** The licences of all that is in it. */
    readonly licences: string;
    readonly files: readonly { readonly architecture: Architecture; readonly path: string }[];
  }[];
}

/** As root, by buildah and mmdebstrap, with packages that apt verifies; gives also those of Debian that are in the images. @throws Error */
export function releaseImages(wanted: ReleaseImages): {
  readonly images: readonly ReleasedImage[];
  readonly archives: readonly DebianArchive[];
} {
  const { work, programs } = wanted;
  const store = ['--root', join(work, 'images'), '--runroot', join(work, 'images-run')];
  // Of the drivers the one that works on every file system, also in a container.
  const buildah = buildahIn(store, { STORAGE_DRIVER: 'vfs', ...process.env });
  const used = architectures.filter((one) =>
    programs.some(({ files }) => files.some(({ architecture }) => architecture === one)),
  );
  const roots = new Map(used.map((one) => [one, extractDebian(join(work, `debian-${one}`), one)]));
  const images = programs.map((program) => releaseImage(wanted, program, roots, buildah));
  const archives = [...roots.values()].flatMap((root) => root.archives);
  // Packages for all architectures come with each.
  return { images, archives: [...new Map(archives.map((one) => [one.purl, one])).values()] };
}

function releaseImage(
  { folder, work, version }: ReleaseImages,
  { kind, files, licences }: ReleaseImages['programs'][number],
  roots: ReadonlyMap<Architecture, DebianRoot>,
  buildah: ReturnType<typeof buildahIn>,
): ReleasedImage {
  const name = `upstreamproxy-${kind}`;
  const ids = files.flatMap(({ architecture, path }) => {
    const debian = roots.get(architecture);
    return debian === undefined
      ? []
      : [makeImage(buildah, { name: kind, architecture, file: path, licences, debian, work })];
  });
  const list = `localhost/${name}:${version}`;
  makeImageIndex(buildah, list, ids);
  const layout = join(work, `${name}.oci`);
  buildah('manifest', 'push', '--quiet', '--all', list, `oci:${layout}:${version}`);
  for (const id of ids) buildah('rmi', '--force', id);
  const file = `${name}-${version}-image`;
  writeArchive(layout, join(folder, `${file}.tar`));
  const [{ digest } = { digest: '' }] = manifestsOf(join(layout, 'index.json'));
  const index = blobOf(layout, digest);
  copyFileSync(index, join(folder, `${file}.json`));
  const platforms = manifestsOf(index).map((one) => {
    const architecture = architectures.find(
      (each) => imageArchitectures[each] === one.platform?.architecture,
    );
    if (architecture === undefined) throw new Error(`${list}: an image of an architecture that is not ours`);
    copyFileSync(blobOf(layout, one.digest), join(folder, `${file}-linux-${architecture}.json`));
    return { architecture, digest: one.digest };
  });
  rmSync(layout, { recursive: true });
  return { name, archive: `${file}.tar`, digest, platforms };
}

interface Descriptor {
  readonly digest: string;
  readonly platform?: { readonly architecture: string };
}

/** Of the index of a layout, or of an image (specification of the OCI image format), as buildah wrote it. */
function manifestsOf(file: string): readonly Descriptor[] {
  const { manifests } = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly manifests: readonly Descriptor[];
  };
  return manifests;
}

function blobOf(layout: string, digest: string): string {
  return join(layout, 'blobs', digest.replace(':', '/'));
}

/** Without what differs from build to build: times, owners, the order of files. */
function writeArchive(layout: string, out: string): void {
  const args = ['--sort=name', '--format=ustar', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  const { status, error, stderr } = spawnSync(
    'tar',
    [...args, '--mode=u=rwX,go=rX', '-cf', out, '-C', layout, 'blobs', 'index.json', 'oci-layout'],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`tar ended with ${status ?? error?.message}\n${stderr}`);
}
