// A server of LuaRocks with one rock.

import { tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, text } from './handler.ts';

const manifest = `commands = {}
modules = {}
repository = { example = { ["1.0-1"] = { { arch = "rockspec" } } } }
`;

const rockspec = (base: string): string => `rockspec_format = "3.0"
package = "example"
version = "1.0-1"
source = { url = "${base}/example-1.0.tar.gz" }
description = { summary = "An example", license = "MIT" }
dependencies = {}
build = { type = "builtin", modules = { example = "example.lua" } }
`;

export function luarocksServer(): OriginHandler {
  const archive = tarGz({ 'example-1.0/example.lua': 'return { hello = "hello from luarocks" }\n' });
  return ({ path, base }) => {
    switch (path) {
      case '/manifest':
      case '/manifest-5.1':
        return text(manifest);
      case '/example-1.0-1.rockspec':
        return text(rockspec(base));
      case '/example-1.0.tar.gz':
        return binary(archive, 'application/gzip');
      default:
        return undefined;
    }
  };
}
