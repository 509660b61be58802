// Rows of the doctor's table: package managers of systems.

import { type ClientRow, environmentProxy, files, system } from './client-row.ts';

const version = ['--version'];

export const systemClients: readonly ClientRow[] = [
  {
    id: 'apt',
    commands: ['apt-get'],
    version,
    proxy: environmentProxy,
    trust: files('SSL_CERT_FILE'),
    proof: {
      command: '/usr/lib/apt/apt-helper',
      args: ['download-file', '@url@', '@temporary@/response', '-o', 'Acquire::Retries=0'],
      output: 'response',
    },
  },
  { id: 'dnf', commands: ['dnf'], version, proxy: environmentProxy, trust: [system], fix: 'system-store' },
  {
    id: 'pacman',
    commands: ['pacman'],
    version,
    proxy: environmentProxy,
    trust: [system],
    fix: 'system-store',
  },
  {
    id: 'flatpak',
    commands: ['flatpak'],
    version,
    proxy: environmentProxy,
    trust: [system],
    fix: 'system-store',
  },
  {
    id: 'nix',
    commands: ['nix'],
    version,
    proxy: environmentProxy,
    trust: files('NIX_SSL_CERT_FILE', 'SSL_CERT_FILE'),
  },
];
