// A RubyGems server with one gem. Its index has Ruby's own binary form, so Ruby makes it, when it is first asked for.

import { createHash } from 'node:crypto';

import { mustRun } from '../../support/command.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { findTool } from '../../support/tools.ts';
import type { OriginHandler } from './handler.ts';
import { binary, staticFiles, text } from './handler.ts';

/** Prints the files of the server as JSON, by path, in Base64. */
const makeGem = `
require 'rubygems/package'
require 'zlib'
require 'json'
require 'stringio'
Dir.chdir(ARGV[0])
Dir.mkdir('lib')
File.write('lib/example_gem.rb', "module ExampleGem\\n  HELLO = 'hello from gems'\\nend\\n")
spec = Gem::Specification.new do |s|
  s.name = 'example-gem'
  s.version = '1.0.0'
  s.summary = 'An example.'
  s.authors = ['Test']
  s.license = 'MIT'
  s.homepage = 'https://example.com'
  s.files = ['lib/example_gem.rb']
end
Gem::DefaultUserInteraction.ui = Gem::SilentUI.new
Gem::Package.build(spec)
gzip = lambda do |data|
  io = StringIO.new
  writer = Zlib::GzipWriter.new(io)
  writer.write(data)
  writer.close
  io.string
end
tuple = gzip.call(Marshal.dump([['example-gem', Gem::Version.new('1.0.0'), 'ruby']]))
files = {
  '/gems/example-gem-1.0.0.gem' => File.binread('example-gem-1.0.0.gem'),
  '/quick/Marshal.4.8/example-gem-1.0.0.gemspec.rz' => Zlib::Deflate.deflate(Marshal.dump(spec)),
  '/specs.4.8.gz' => tuple,
  '/latest_specs.4.8.gz' => tuple,
  '/prerelease_specs.4.8.gz' => gzip.call(Marshal.dump([]))
}
puts JSON.generate(files.transform_values { |data| [data].pack('m0') })
`;

async function makeServer(): Promise<OriginHandler> {
  if (findTool('ruby') === undefined) return () => undefined;
  await using directory = await temporaryDirectory();
  // Printed by the script above.
  const files = JSON.parse(await mustRun('ruby', ['-e', makeGem, directory.path])) as Record<string, string>;
  const bytes = (path: string): Buffer => Buffer.from(files[path] ?? '', 'base64');
  const gem = bytes('/gems/example-gem-1.0.0.gem');
  const info = `---\n1.0.0 |checksum:${createHash('sha256').update(gem).digest('hex')}\n`;
  const infoSum = createHash('md5').update(info).digest('hex');
  return staticFiles({
    ...Object.fromEntries(Object.keys(files).map((path) => [path, binary(bytes(path))])),
    '/versions': text(`created_at: 2020-01-01T00:00:00Z\n---\nexample-gem 1.0.0 ${infoSum}\n`),
    '/info/example-gem': text(info),
    '/names': text('---\nexample-gem\n'),
  });
}

export function gemServer(): OriginHandler {
  let server: Promise<OriginHandler> | undefined;
  return async (request) => {
    server ??= makeServer();
    return await (
      await server
    )(request);
  };
}
