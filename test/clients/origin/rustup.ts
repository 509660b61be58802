// A distribution server of Rust with one toolchain, 1.2.3, which is a single file.

import { createHash } from 'node:crypto';

import { tarGz } from './archive.ts';
import { binary, staticFiles, text } from './handler.ts';
import type { OriginHandler } from './handler.ts';

const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const target = `${machine}-unknown-linux-gnu`;
const version = '1.2.3';

export function rustDistribution(): OriginHandler {
  const folder = `rustc-${version}-${target}`;
  const archive = tarGz({
    [`${folder}/rust-installer-version`]: '3\n',
    [`${folder}/components`]: 'rustc\n',
    [`${folder}/rustc/manifest.in`]: 'file:share/hello\n',
    [`${folder}/rustc/share/hello`]: 'hello from rustup\n',
  });
  const hash = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');
  const file = `/dist/2020-01-01/${folder}.tar.gz`;
  return (request) => {
    // The manifest has whole URLs.
    const manifest = manifestText(`${request.base}${file}`, hash(archive));
    const path = `/dist/channel-rust-${version}.toml`;
    return staticFiles({
      [path]: text(manifest),
      [`${path}.sha256`]: text(`${hash(manifest)}  channel-rust-${version}.toml\n`),
      [file]: binary(archive),
    })(request);
  };
}

function manifestText(url: string, hash: string): string {
  return `manifest-version = "2"
date = "2020-01-01"
[pkg.rust]
version = "${version}"
[pkg.rust.target.${target}]
available = true
url = "${url}"
hash = "${hash}"
[[pkg.rust.target.${target}.components]]
pkg = "rustc"
target = "${target}"
[pkg.rustc]
version = "${version}"
[pkg.rustc.target.${target}]
available = true
url = "${url}"
hash = "${hash}"
[profiles]
minimal = ["rustc"]
`;
}
