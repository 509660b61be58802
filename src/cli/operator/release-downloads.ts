// What a newer release has for this machine: files and images, each with the digest that what was downloaded has to have.

import type { ReleaseManifest } from '../../api/release-manifest.ts';

export interface ReleaseDownloads {
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
  readonly images: readonly { readonly name: string; readonly digest: string }[];
}

/** `architecture`: as `process.arch` names it. */
export function releaseDownloads(
  { programs = [], packages = [], images = [] }: ReleaseManifest,
  architecture: string,
): ReleaseDownloads {
  const own = [...programs, ...packages].filter((file) => file.architecture === architecture);
  return { files: own.map(({ name, sha256 }) => ({ name, sha256 })), images };
}

/** Each line as `sha256sum --check` reads it, behind two spaces. */
export function downloadSentences({ files, images }: ReleaseDownloads): string {
  const listed = files.map(({ name, sha256 }) => `  ${sha256}  ${name}\n`);
  const named = images.map(({ name, digest }) => `  ${name}@${digest}\n`);
  return [
    ...(listed.length === 0 ? [] : ['Files for this machine, with their SHA-256:\n', ...listed]),
    ...(named.length === 0 ? [] : ['Images, with their digests:\n', ...named]),
  ].join('');
}
