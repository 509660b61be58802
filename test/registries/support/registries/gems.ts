// A server of RubyGems: its index, its API of versions, and files in Ruby's own binary form, which Ruby makes. What is withdrawn is removed.

import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { mustRun } from '../../../support/command.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';
import { contentOf, isGone, type ServedPackage, type ServedVersion, timeOut } from './served-package.ts';

/** Prints the gem and its description, in Base64, for each NAME VERSION CONTENT of a line of the input. */
const makeGems = `
require 'rubygems/package'
require 'zlib'
require 'json'
Dir.chdir(ARGV[0])
Dir.mkdir('lib')
Gem::DefaultUserInteraction.ui = Gem::SilentUI.new
made = STDIN.read.split("\\n").map do |line|
  name, version, content = line.split(' ')
  File.write("lib/#{name}.rb", "# #{content}\\n")
  spec = Gem::Specification.new do |s|
    s.name = name
    s.version = version
    s.summary = 'An example.'
    s.authors = ['Test']
    s.license = 'MIT'
    s.homepage = 'https://example.com'
    s.files = ["lib/#{name}.rb"]
  end
  Gem::Package.build(spec)
  files = [File.binread("#{name}-#{version}.gem"), Zlib::Deflate.deflate(Marshal.dump(spec))]
  [line, files.map { |data| [data].pack('m0') }]
end
puts JSON.generate(made.to_h)
`;

export async function gemServer(packages: readonly ServedPackage[]): Promise<RequestListener> {
  const lines = packages.flatMap(({ name, versions }) =>
    versions.flatMap(({ version }) =>
      ['complete', 'tampered'].map((content) => `${name} ${version} ${content}`),
    ),
  );
  await using folder = await temporaryDirectory();
  const made = await mustRun('ruby', ['-e', makeGems, folder.path], { input: lines.join('\n') });
  // Printed by the script above.
  const files = JSON.parse(made) as Readonly<Record<string, readonly [gem: string, spec: string]>>;
  const octets = (name: string, { version }: ServedVersion, content: string, at: 0 | 1): Buffer =>
    Buffer.from(files[`${name} ${version} ${content}`]?.[at] ?? '', 'base64');
  const infoOf = ({ name, versions }: ServedPackage): string => {
    const left = versions.filter((one) => !isGone(one));
    const written = left.map((one) => {
      const sum = createHash('sha256')
        .update(octets(name, one, 'complete', 0))
        .digest('hex');
      return `${one.version} |checksum:${sum}\n`;
    });
    return `---\n${written.join('')}`;
  };
  return (request, response) => {
    const path = request.url ?? '';
    if (path === '/versions') {
      const rows = packages.map((one) => {
        const info = infoOf(one);
        const left = one.versions.filter((version) => !isGone(version));
        return `${one.name} ${left.map(({ version }) => version).join(',')} ${createHash('md5').update(info).digest('hex')}\n`;
      });
      return void response.end(`created_at: 2020-01-01T00:00:00Z\n---\n${rows.join('')}`);
    }
    for (const one of packages) {
      const { name } = one;
      const left = one.versions.filter((version) => !isGone(version));
      if (path === `/info/${name}`) return void response.end(infoOf(one));
      if (path === `/api/v1/versions/${name}.json`)
        return void response.end(
          JSON.stringify(
            left.map((version) => ({
              number: version.version,
              platform: 'ruby',
              created_at: timeOut(version),
            })),
          ),
        );
      for (const version of left) {
        const file = `${name}-${version.version}`;
        const content = contentOf(version);
        if (path === `/gems/${file}.gem`) return void response.end(octets(name, version, content, 0));
        if (path === `/quick/Marshal.4.8/${file}.gemspec.rz`)
          return void response.end(octets(name, version, 'complete', 1));
      }
    }
    response.writeHead(404).end();
  };
}
