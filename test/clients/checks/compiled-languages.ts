// Rust and Go: their package managers and HTTP clients; CMake.

import type { ClientCheck } from '../check.ts';

const cargo = '/usr/bin/cargo';
const crateProgram = 'fn main() { println!("{}", example_crate::hello()); }\n';
const goEnvironment = {
  GOPROXY: '@https:go@',
  GONOSUMDB: '*',
  GONOSUMCHECK: '1',
  GOFLAGS: '-mod=mod',
  GOSUMDB: 'off',
  GOTOOLCHAIN: 'local',
  GOPATH: '@dir@/gopath',
  // The compiled standard library is kept between runs, for it takes a minute to build.
  GOCACHE: '@cache@/go',
};

function cargoCheck(id: string, client: string, dependency: string): ClientCheck {
  return {
    id,
    client,
    version: [cargo, '--version'],
    needs: [cargo],
    how: 'https_proxy; CARGO_HTTP_CAINFO',
    files: {
      'Cargo.toml': `[package]
name = "project"
version = "1.0.0"
edition = "2021"
[dependencies]
example-crate = ${dependency}
`,
      'src/main.rs': crateProgram,
      '.cargo/config.toml': `[registries.fixture]
index = "sparse+@https:crates@/index/"
[net]
retry = 0
`,
    },
    env: { CARGO_HOME: '@dir@/cargo', RUSTC: '/usr/bin/rustc' },
    command: [cargo, 'run', '--quiet'],
    expect: /hello from crates/,
    timeoutMs: 120_000,
  };
}

function goHttpCheck(id: string, client: string, url: string, how: string): ClientCheck {
  return {
    id,
    client,
    version: ['go', 'version'],
    needs: ['go'],
    how,
    files: {
      'main.go': `package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	response, err := http.Get("${url}/hello")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(response.Proto)
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`,
    },
    env: goEnvironment,
    command: ['go', 'run', 'main.go'],
    expect: /^hello from web$/m,
    timeoutMs: 180_000,
  };
}

export const compiledLanguageChecks: readonly ClientCheck[] = [
  cargoCheck('cargo', 'cargo', '{ version = "1.0.0", registry = "fixture" }'),
  cargoCheck('cargo-git', 'cargo: a crate from git', '{ git = "@https:git@/crate.git" }'),
  {
    id: 'go-get',
    client: 'go get',
    version: ['go', 'version'],
    needs: ['go'],
    how: 'https_proxy; SSL_CERT_FILE',
    files: {
      'go.mod': 'module project\n\ngo 1.21\n\nrequire example.test/library v1.0.0\n',
      'main.go':
        'package main\n\nimport "example.test/library"\n\nfunc main() { println(library.Hello()) }\n',
    },
    env: goEnvironment,
    command: ['sh', '-c', 'go get example.test/library@v1.0.0 && go run .; go clean -modcache'],
    expect: /^hello from go$/m,
    timeoutMs: 180_000,
  },
  goHttpCheck('go-http', 'net/http of Go', '@https:web@', 'https_proxy; SSL_CERT_FILE'),
  goHttpCheck('go-http-plain', 'net/http of Go, plain', '@http:web@', 'http_proxy or HTTP_PROXY'),
  {
    id: 'rustup',
    client: 'rustup',
    version: ['rustup', '--version'],
    needs: ['rustup'],
    how: 'https_proxy; SSL_CERT_FILE',
    env: {
      RUSTUP_HOME: '@dir@/rustup',
      CARGO_HOME: '@dir@/cargo',
      RUSTUP_DIST_SERVER: '@https:rustup@',
    },
    command: [
      'sh',
      '-ec',
      'rustup toolchain install 1.2.3 --profile minimal --no-self-update; cat rustup/toolchains/*/share/hello',
    ],
    expect: /^hello from rustup$/m,
  },
  {
    id: 'cmake',
    client: 'cmake: file(DOWNLOAD)',
    version: ['cmake', '--version'],
    needs: ['cmake'],
    how: 'https_proxy; SSL_CERT_FILE',
    files: {
      'program.cmake': `file(DOWNLOAD @https:web@/hello "@dir@/hello" STATUS status TLS_VERIFY ON)
message(STATUS "\${status}")
file(READ "@dir@/hello" text)
message(STATUS "\${text}")
`,
    },
    command: ['cmake', '-P', 'program.cmake'],
    expect: /hello from web/,
  },
];
