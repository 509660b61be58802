// Command lines that talk to the APIs of language models.

import type { ClientCheck } from '../check.ts';

const binary = (folder: string, name: string): string => `@tools@/${folder}/node_modules/.bin/${name}`;

export const assistantChecks: readonly ClientCheck[] = [
  {
    id: 'claude-code',
    client: 'claude-code',
    version: [binary('claude-code', 'claude'), '--version'],
    needs: [binary('claude-code', 'claude')],
    how: 'https_proxy; SSL_CERT_FILE or NODE_EXTRA_CA_CERTS',
    env: {
      ANTHROPIC_BASE_URL: '@https:api@',
      ANTHROPIC_API_KEY: 'placeholder',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
    },
    command: [binary('claude-code', 'claude'), '--print', '--max-turns', '1', 'hello'],
    expect: /hello from api/,
  },
  {
    id: 'codex',
    client: 'codex',
    version: [binary('codex', 'codex'), '--version'],
    needs: [binary('codex', 'codex')],
    how: 'https_proxy; SSL_CERT_FILE',
    files: {
      '~/.codex/config.toml': `model = "example"
model_provider = "fixture"
[model_providers.fixture]
name = "fixture"
base_url = "@https:api@/v1"
wire_api = "responses"
env_key = "FIXTURE_KEY"
request_max_retries = 0
stream_max_retries = 0
`,
    },
    help: 'its own sandbox off (--dangerously-bypass-approvals-and-sandbox), as nobody is there to approve',
    env: { FIXTURE_KEY: 'placeholder', CODEX_HOME: '@home@/.codex' },
    command: [
      binary('codex', 'codex'),
      'exec',
      '--skip-git-repo-check',
      '--dangerously-bypass-approvals-and-sandbox',
      'hello',
    ],
    expect: /hello from api/,
  },
  {
    id: 'gemini-cli',
    client: 'gemini-cli',
    version: ['@node@', binary('gemini-cli', 'gemini'), '--version'],
    needs: [binary('gemini-cli', 'gemini')],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS',
    files: {
      '~/.gemini/settings.json': JSON.stringify({
        security: { auth: { selectedType: 'gemini-api-key' } },
        privacy: { usageStatisticsEnabled: false },
        general: { disableAutoUpdate: true },
      }),
    },
    env: {
      GEMINI_API_KEY: 'placeholder',
      GOOGLE_GEMINI_BASE_URL: '@https:api@',
      GEMINI_CLI_TRUST_WORKSPACE: 'true',
      GEMINI_CLI_NO_RELAUNCH: 'true',
    },
    command: ['@node@', binary('gemini-cli', 'gemini'), '--model', 'gemini-2.5-flash', '--prompt', 'hello'],
    expect: /hello from api/,
  },
  {
    id: 'opencode',
    client: 'opencode',
    version: [binary('opencode', 'opencode'), '--version'],
    needs: [binary('opencode', 'opencode')],
    how: 'https_proxy; SSL_CERT_FILE or NODE_EXTRA_CA_CERTS',
    files: {
      'opencode.json': JSON.stringify({
        autoupdate: false,
        share: 'disabled',
        model: 'fixture/example',
        small_model: 'fixture/example',
        enabled_providers: ['fixture'],
        provider: {
          fixture: {
            npm: '@ai-sdk/openai-compatible',
            name: 'fixture',
            options: { baseURL: '@https:api@/v1', apiKey: 'placeholder' },
            models: { example: { name: 'example' } },
          },
        },
      }),
    },
    env: {
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
    },
    command: [binary('opencode', 'opencode'), 'run', '--model', 'fixture/example', 'hello'],
    expect: /hello from api/,
  },
  {
    id: 'qwen-code',
    client: 'qwen-code',
    version: ['@node@', binary('qwen-code', 'qwen'), '--version'],
    needs: [binary('qwen-code', 'qwen')],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS',
    env: {
      OPENAI_BASE_URL: '@https:api@/v1',
      OPENAI_API_KEY: 'placeholder',
      OPENAI_MODEL: 'example',
      QWEN_CODE_NO_RELAUNCH: 'true',
    },
    command: ['@node@', binary('qwen-code', 'qwen'), '--auth-type', 'openai', '--prompt', 'hello'],
    expect: /hello from api/,
  },
  {
    id: 'pi',
    client: 'pi',
    version: ['@node@', binary('pi', 'pi'), '--version'],
    needs: [binary('pi', 'pi')],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS',
    files: {
      '~/.pi/agent/models.json': JSON.stringify({
        providers: {
          fixture: {
            baseUrl: '@https:api@/v1',
            api: 'openai-completions',
            apiKey: 'placeholder',
            models: [{ id: 'example' }],
          },
        },
      }),
    },
    env: { PI_OFFLINE: '1' },
    command: [
      '@node@',
      binary('pi', 'pi'),
      '--provider',
      'fixture',
      '--model',
      'example',
      '--no-session',
      '--print',
      'hello',
    ],
    expect: /hello from api/,
  },
  {
    id: 'copilot',
    client: 'copilot',
    version: [binary('copilot', 'copilot'), '--version'],
    needs: [binary('copilot', 'copilot')],
    how: 'https_proxy; NODE_EXTRA_CA_CERTS',
    env: {
      COPILOT_PROVIDER_BASE_URL: '@https:api@/v1',
      COPILOT_PROVIDER_API_KEY: 'placeholder',
      COPILOT_MODEL: 'example',
      COPILOT_AUTO_UPDATE: 'false',
    },
    command: [binary('copilot', 'copilot'), '--no-color', '--allow-all-tools', '--prompt', 'hello'],
    expect: /hello from api/,
  },
];
