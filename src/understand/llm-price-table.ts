// Made by scripts/build-llm-prices.ts; do not edit. Prices in US dollars for a million tokens, by the data of @pydantic/genai-prices
// (https://github.com/pydantic/genai-prices).
// They are of version 0.1.8, taken on 2026-11-27. Their licence:
//
// The MIT License (MIT)
//
// Copyright (c) Pydantic Services Inc. 2025 to present
//
// Permission is hereby granted, free of charge, to any person obtaining a copy
// of this software and associated documentation files (the "Software"), to deal
// in the Software without restriction, including without limitation the rights
// to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
// copies of the Software, and to permit persons to whom the Software is
// furnished to do so, subject to the following conditions:
//
// The above copyright notice and this permission notice shall be included in all
// copies or substantial portions of the Software.
//
// THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
// IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
// FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
// AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
// LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
// OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
// SOFTWARE.

/**
 * API, names, from which day on, and the prices of what is read, read from a cache, written into one, written into one for an hour, and written by
 * the model. Behind `>`: those of calls that read more tokens than that.
 */
export const priceTable = `
openai ada,text-ada-001 - 0.4 - - - 0.4
openai babbage - 0.5 - - - 0.5
openai chatgpt-4o-latest - 5 - - - 15
openai codex-mini,codex-mini-latest - 1.5 0.375 - - 6
openai curie,text-curie-001 - 2 - - - 2
openai davinci,text-davinci-001 - 20 - - - 20
openai ft:gpt-3.5-turbo - 3 - - - 6
openai ft:gpt-4o - 3.75 - - - 15
openai ft:gpt-4o-mini - 0.3 - - - 1.2
openai gpt-3.5-0301,gpt-3.5-turbo-0301 - 1.5 - - - 2
openai gpt-3.5-turbo,gpt-35-turbo,gpt-3.5-turbo-0125 - 0.5 - - - 1.5
openai gpt-3.5-turbo-0613 - 1.5 - - - 2
openai gpt-3.5-turbo-1106 - 1 - - - 2
openai gpt-3.5-turbo-16k,gpt-3.5-turbo-16k-0613,gpt-35-turbo-16k-0613,gpt-35-turbo-16k - 3 - - - 4
openai gpt-3.5-turbo-instruct,gpt-3.5-turbo-instruct-0914 - 1.5 - - - 2
openai gpt-4,gpt-4-0314,gpt-4-0613,ft:gpt-4-0 - 30 - - - 60
openai gpt-4-32k,gpt-4-32k-0314,gpt-4-32k-0613 - 60 - - - 120
openai gpt-4-turbo,gpt-4-turbo-2024-04-09,gpt-4-turbo-0125-preview,gpt-4-0125-preview,gpt-4-1106-preview,gpt-4-turbo-preview - 10 - - - 30
openai gpt-4-vision-preview,gpt-4-1106-vision-preview - 10 - - - 30
openai gpt-4.1,gpt-4.1-2025-04-14 - 2 0.5 - - 8
openai gpt-4.1-mini,gpt-4.1-mini-2025-04-14 - 0.4 0.1 - - 1.6
openai gpt-4.1-nano,gpt-4.1-nano-2025-04-14 - 0.1 0.025 - - 0.4
openai gpt-4.5-preview - 75 37.5 - - 150
openai gpt-4o,gpt-4o-2024-08-06,gpt-4o-2024-11-20 - 2.5 1.25 - - 10
openai gpt-4o-2024-05-13 - 5 - - - 15
openai gpt-4o-mini,gpt-4o-mini-2024-07-18 - 0.15 0.075 - - 0.6
openai gpt-4o:extended - 6 - - - 18
openai gpt-5,gpt-5-2025-08-07,gpt-5-chat,gpt-5-chat-latest,gpt-5-codex - 1.25 0.125 - - 10
openai gpt-5-mini,gpt-5-mini-2025-08-07 - 0.25 0.025 - - 2
openai gpt-5-nano - 0.05 0.005 - - 0.4
openai gpt-5-pro,gpt-5-pro-2025-10-06 - 15 - - - 120
openai gpt-5.1,gpt-5.1-2025-11-13,gpt-5.1-codex,gpt-5.1-codex-max,gpt-5.1-chat,gpt-5.1-chat-latest,gpt-5-1,gpt-5-1-2025-11-13,gpt-5-1-codex,gpt-5-1-codex-max,gpt-5-1-chat,gpt-5-1-chat-latest - 1.25 0.125 - - 10
openai gpt-5.1-codex-mini,gpt-5.1-mini,gpt-5-1-codex-mini,gpt-5-1-mini - 0.25 0.025 - - 2
openai gpt-5.2,gpt-5.2-2025-12-11,gpt-5-2,gpt-5-2-2025-12-11,gpt-5.2-chat,gpt-5.2-chat-latest,gpt-5-2-chat,gpt-5-2-chat-latest,gpt-5.2-codex,gpt-5-2-codex - 1.75 0.175 - - 14
openai gpt-5.2-pro,gpt-5.2-pro-2025-12-11,gpt-5-2-pro-2025-12-11 - 21 - - - 168
openai gpt-5.3,gpt-5-3,gpt-5.3-chat,gpt-5.3-chat-latest,gpt-5-3-chat,gpt-5-3-chat-latest - 1.75 0.175 - - 14
openai gpt-5.3-codex,gpt-5-3-codex - 1.75 0.175 - - 14
openai gpt-5.4,gpt-5.4-2026-03-05,gpt-5-4,gpt-5-4-2026-03-05 - 2.5 0.25 - - 15 > 271999 5 0.5 - - 22.5
openai gpt-5.4-mini,gpt-5.4-mini-2026-03-17,gpt-5-4-mini,gpt-5-4-mini-2026-03-17 - 0.75 0.075 - - 4.5
openai gpt-5.4-nano,gpt-5.4-nano-2026-03-17,gpt-5-4-nano,gpt-5-4-nano-2026-03-17 - 0.2 0.02 - - 1.25
openai gpt-5.4-pro,gpt-5.4-pro-2026-03-05,gpt-5-4-pro,gpt-5-4-pro-2026-03-05 - 30 - - - 180 > 271999 60 - - - 270
openai gpt-5.5,gpt-5.5-2026-04-23,gpt-5.5-2026-04-24,gpt-5-5,gpt-5-5-2026-04-23,gpt-5-5-2026-04-24,gpt-5.5-chat,gpt-5.5-chat-latest,gpt-5-5-chat,gpt-5-5-chat-latest,gpt-5.5-codex,gpt-5-5-codex - 5 0.5 - - 30 > 271999 10 1 - - 45
openai gpt-5.5-pro,gpt-5.5-pro-2026-04-23,gpt-5-5-pro,gpt-5-5-pro-2026-04-23 - 30 - - - 180 > 271999 60 - - - 270
openai gpt-5.6-luna,gpt-5-6-luna - 1 0.1 1.25 - 6 > 271999 2 0.2 2.5 - 9
openai gpt-5.6-luna,gpt-5-6-luna 2026-07-30 0.2 0.02 0.25 - 1.2 > 271999 0.4 0.04 0.5 - 1.8
openai gpt-5.6-sol,gpt-5-6-sol,gpt-5.6,gpt-5-6 - 5 0.5 6.25 - 30 > 271999 10 1 12.5 - 45
openai gpt-5.6-sol,gpt-5-6-sol,gpt-5.6,gpt-5-6 2026-08-21 4 0.4 5 - 20 > 271999 8 0.8 10 - 30
openai gpt-5.6-terra,gpt-5-6-terra - 2.5 0.25 3.125 - 15 > 271999 5 0.5 6.25 - 22.5
openai gpt-5.6-terra,gpt-5-6-terra 2026-07-30 2 0.2 2.5 - 12 > 271999 4 0.4 5 - 18
openai gpt-6-astra - 10 1 12.5 - 50 > 271999 20 2 25 - 75
openai gpt-6-luna - 0.1 0.01 0.125 - 0.5 > 272000 0.2 0.02 0.25 - 0.75
openai gpt-6-sol - 2 0.2 2.5 - 10 > 272000 4 0.4 5 - 15
openai gpt-chat-latest - 5 0.5 - - 30
openai gpt-oss-120b - 0.039 - - - 0.18
openai gpt-oss-20b - 0.029 - - - 0.14
openai gpt-oss-safeguard-20b - 0.075 0.037 - - 0.3
openai o1,o1-2024-12-17 - 15 7.5 - - 60
openai o1-mini,o1-mini-2024-09-12 - 1.1 0.55 - - 4.4
openai o1-preview,o1-preview-2024-09-12 - 15 7.5 - - 60
openai o1-pro,o1-pro-2025-03-19 - 150 - - - 600
openai o3,o3-2025-04-16 - 10 0.5 - - 40
openai o3,o3-2025-04-16 2025-06-10 2 0.5 - - 8
openai o3-mini,o3-mini-2025-01-31,o3-mini-high - 1.1 0.55 - - 4.4
openai o3-pro,o3-pro-2025-06-10 - 20 - - - 80
openai o4-mini,o4-mini-2025-04-16,o4-mini-high - 1.1 0.275 - - 4.4
openai text-davinci-002 - 20 - - - 20
openai text-davinci-003 - 20 - - - 20
anthropic claude-2,claude-v2 - 8 - - - 24
anthropic claude-3-5-haiku-latest,claude-3-5-haiku,claude-3.5-haiku - 0.8 0.08 1 1.6 4
anthropic claude-3-5-sonnet,claude-3.5-sonnet - 3 0.3 3.75 6 15
anthropic claude-3-7-sonnet-latest,claude-3-7-sonnet,claude-3.7-sonnet,claude-sonnet-3.7,claude-sonnet-3-7 - 3 0.3 3.75 6 15
anthropic claude-3-haiku - 0.25 0.03 0.3 0.5 1.25
anthropic claude-3-opus-latest,claude-3-opus - 15 1.5 18.75 30 75
anthropic claude-3-sonnet - 3 0.3 3.75 6 15
anthropic claude-fable-5 - 10 1 12.5 20 50
anthropic claude-fable-5-1 - 10 0.25 12.5 20 50
anthropic claude-haiku-4-5,claude-haiku-4.5,claude-4-5-haiku,claude-4.5-haiku - 1 0.1 1.25 2 5
anthropic claude-opus-4-0,claude-4-opus,claude-opus-4,claude-opus-4-20250514 - 15 1.5 18.75 30 75
anthropic claude-opus-4-1,claude-opus-4.1 - 15 1.5 18.75 30 75
anthropic claude-opus-4-5,claude-opus-4.5,claude-4-5-opus,claude-4.5-opus - 5 0.5 6.25 10 25
anthropic claude-opus-4-6,claude-opus-4.6,claude-4-6-opus,claude-4.6-opus - 5 0.5 6.25 10 25 > 200000 10 1 12.5 20 37.5
anthropic claude-opus-4-6,claude-opus-4.6,claude-4-6-opus,claude-4.6-opus 2026-03-13 5 0.5 6.25 10 25
anthropic claude-opus-4-7,claude-opus-4.7,claude-4-7-opus,claude-4.7-opus - 5 0.5 6.25 10 25
anthropic claude-opus-4-8,claude-opus-4.8,claude-4-8-opus,claude-4.8-opus - 5 0.5 6.25 10 25
anthropic claude-opus-5,claude-opus-5.0,claude-5-opus,claude-5.0-opus - 5 0.5 6.25 10 25
anthropic claude-opus-5-5,claude-opus-5.5,claude-5-5-opus,claude-5.5-opus - 4 0.2 5 8 20
anthropic claude-sonnet-4-0,claude-sonnet-4-2025,claude-sonnet-4,claude-4-sonnet - 3 0.3 3.75 6 15
anthropic claude-sonnet-4-5,claude-sonnet-4.5 - 3 0.3 3.75 6 15 > 200000 6 0.6 7.5 12 22.5
anthropic claude-sonnet-4-6,claude-sonnet-4.6 - 3 0.3 3.75 6 15 > 200000 6 0.6 7.5 12 22.5
anthropic claude-sonnet-4-6,claude-sonnet-4.6 2026-03-13 3 0.3 3.75 6 15
anthropic claude-sonnet-5,claude-sonnet-5.0,claude-5-sonnet,claude-5.0-sonnet - 2 0.2 2.5 4 10
anthropic claude-v1 - 8 - - - 24
gemini claude-3-5-haiku - 0.8 0.08 1 - 4
gemini claude-3-5-sonnet - 3 0.3 3.75 - 15
gemini claude-3-7-sonnet - 3 0.3 3.75 - 15
gemini claude-3-haiku - 0.25 0.03 0.3 - 1.25
gemini claude-3-opus - 15 1.5 18.75 - 75
gemini claude-4-opus,claude-opus-4-0,claude-opus-4-1,claude-opus-4 - 15 1.5 18.75 - 75
gemini claude-4-sonnet,claude-sonnet-4-0,claude-sonnet-4-2025,claude-sonnet-4,anthropic/claude-sonnet-4 - 3 0.3 3.75 - 15
gemini claude-fable-5 - 10 1 12.5 - 50
gemini claude-fable-5-1 - 10 0.25 12.5 - 50
gemini claude-opus-4-6,claude-4-6-opus,claude-4.6-opus,claude-opus-4.6 - 5 0.5 6.25 - 25 > 200000 10 1 12.5 - 37.5
gemini claude-opus-4-7,claude-4-7-opus,claude-4.7-opus,claude-opus-4.7 - 5 0.5 6.25 - 25
gemini claude-opus-4-8,claude-4-8-opus,claude-4.8-opus,claude-opus-4.8 - 5 0.5 6.25 - 25
gemini claude-opus-5,claude-5-opus,claude-5.0-opus,claude-opus-5.0 - 5 0.5 6.25 - 25
gemini claude-opus-5-5,claude-5-5-opus,claude-5.5-opus,claude-opus-5.5 - 4 0.2 5 - 20
gemini claude-sonnet-4-5,claude-sonnet-4.5 - 3 0.3 3.75 - 15 > 200000 6 0.6 7.5 - 22.5
gemini claude-sonnet-4-6,claude-sonnet-4.6 - 3 0.3 3.75 - 15
gemini gemini-1.0-pro-vision-001 - 0.125 - - - 0.375
gemini gemini-1.5-flash - 0.075 0.01875 - - 0.3 > 128000 0.15 0.0375 - - 0.6
gemini gemini-1.5-pro - 1.25 - - - 5 > 128000 2.5 - - - 10
gemini gemini-2.0-flash,gemini-2.0-flash-0,gemini-2.0-flash-exp,gemini-2.0-flash-thinking,gemini-2.0-flash-latest - 0.1 0.025 - - 0.4
gemini gemini-2.0-flash-lite - 0.075 - - - 0.3
gemini gemini-2.5-flash,gemini-2.5-flash-latest,gemini-2.5-flash-preview-09-2025 - 0.3 0.03 - - 2.5
gemini gemini-2.5-flash-lite - 0.1 0.01 - - 0.4
gemini gemini-2.5-flash-preview,gemini-2.5-flash-preview-05-20,gemini-2.5-flash-preview-04-17,gemini-2.5-flash-preview-05-20:thinking,gemini-2.5-flash-preview:thinking - 0.15 - - - 0.6
gemini gemini-2.5-pro - 1.25 0.125 - - 10 > 200000 2.5 0.25 - - 15
gemini gemini-3-flash-preview - 0.5 0.05 - - 3
gemini gemini-3-pro-preview,gemini-3-pro-text-preview - 2 0.2 - - 12 > 200000 4 0.4 - - 18
gemini gemini-3.1-flash-lite,gemini-3.1-flash-lite-preview - 0.25 0.025 - - 1.5
gemini gemini-3.1-pro-preview - 2 0.2 - - 12 > 200000 4 0.4 - - 18
gemini gemini-3.5-flash,gemini-3.5-flash-preview - 1.5 0.15 - - 9
gemini gemini-3.5-flash-lite - 0.3 0.03 - - 2.5
gemini gemini-3.6-flash - 0.75 0.075 - - 3.75
gemini gemini-3.6-flash 2027-01-01 1.5 0.15 - - 7.5
gemini gemini-3.7-flash - 0.75 0.075 - - 3.75
gemini gemini-3.7-flash 2027-01-01 1.5 0.15 - - 7.5
gemini gemini-3.8-flash - 0.75 0.075 - - 3.75
gemini gemini-3.8-flash 2027-01-01 1.5 0.15 - - 7.5
gemini gemini-flash-1.5 - 0.075 0.01875 - - 0.3 > 128000 0.15 0.0375 - - 0.6
gemini gemini-flash-1.5-8b - 0.0375 0.01 - - 0.15 > 128000 0.075 0.02 - - 0.3
gemini gemini-omni-flash-preview - 1.5 - - - 9
gemini gemini-pro,gemini-1.0-pro - 0.125 - - - 0.375
gemini gemini-pro-1.5 - 1.25 0.3125 - - 5 > 128000 2.5 0.625 - - 10
gemini gemma-2-27b-it - 0.65 - - - 0.65
gemini gemma-4-26b-a4b-it-maas - 0.15 0.015 - - 0.6
bedrock amazon.nova-lite-v1:0,amazon.nova-lite - 0.06 0.015 - - 0.24
bedrock amazon.nova-micro-v1:0,amazon.nova-micro - 0.035 0.00875 - - 0.14
bedrock amazon.nova-premier-v1:0,amazon.nova-premier - 2.5 0.625 - - 12.5
bedrock amazon.nova-pro-v1:0,amazon.nova-pro - 0.8 0.2 - - 3.2
bedrock amazon.titan-text-express-v1,titan-text-express - 0.2 - - - 0.6
bedrock amazon.titan-text-lite-v1,titan-text-lite - 0.15 - - - 0.2
bedrock deepseek.r1-v1:0,deepseek.r1 - 1.35 - - - 5.4
bedrock global.amazon.nova-2-lite-v1:0,global.amazon.nova-2-lite - 0.3 0.075 - - 2.5
bedrock global.anthropic.claude-fable-5-1-v1:0,global.anthropic.claude-fable-5-1,global.anthropic.claude-fable-5-1-v1 - 10 0.25 12.5 - 50
bedrock global.anthropic.claude-fable-5-v1:0,global.anthropic.claude-fable-5,global.anthropic.claude-fable-5-v1 - 10 1 12.5 - 50
bedrock global.anthropic.claude-haiku-4-5-20251001-v1:0,global.anthropic.claude-haiku-4-5-20251001 - 1 0.1 1.25 - 5
bedrock global.anthropic.claude-opus-4-5-v1:0,global.anthropic.claude-opus-4-5 - 5 0.5 6.25 - 25
bedrock global.anthropic.claude-opus-4-6-v1:0,global.anthropic.claude-opus-4-6 - 5 0.5 6.25 - 25
bedrock global.anthropic.claude-opus-4-7-v1:0,global.anthropic.claude-opus-4-7 - 5 0.5 6.25 - 25
bedrock global.anthropic.claude-opus-4-8-v1:0,global.anthropic.claude-opus-4-8 - 5 0.5 6.25 - 25
bedrock global.anthropic.claude-opus-5,global.anthropic.claude-opus-5-v1 - 5 0.5 6.25 - 25
bedrock global.anthropic.claude-opus-5-5,global.anthropic.claude-opus-5-5-v1 - 4 0.2 5 8 20
bedrock global.anthropic.claude-sonnet-4-20250514-v1:0,global.anthropic.claude-sonnet-4-20250514 - 3 0.3 3.75 - 15
bedrock global.anthropic.claude-sonnet-4-5-20250929-v1:0,global.anthropic.claude-sonnet-4-5-20250929 - 3 0.3 3.75 - 15
bedrock global.anthropic.claude-sonnet-4-6-v1:0,global.anthropic.claude-sonnet-4-6 - 3 0.3 3.75 - 15
bedrock global.anthropic.claude-sonnet-5-v1:0,global.anthropic.claude-sonnet-5 - 2 0.2 2.5 - 10
bedrock global.openai.gpt-5.6-luna - 0.2 0.02 0.25 - 1.2 > 271999 0.4 0.04 0.5 - 1.8
bedrock global.openai.gpt-5.6-sol - 5 0.5 6.25 - 30 > 271999 10 1 12.5 - 45
bedrock global.openai.gpt-5.6-sol 2026-08-21 4 0.4 5 - 20 > 271999 8 0.8 10 - 30
bedrock global.openai.gpt-5.6-terra - 2 0.2 2.5 - 12 > 271999 4 0.4 5 - 18
bedrock google.gemma-3-12b-it - 0.09 - - - 0.29
bedrock google.gemma-3-27b-it - 0.23 - - - 0.38
bedrock google.gemma-3-4b-it - 0.04 - - - 0.08
bedrock meta.llama3-1-70b-instruct-v1:0,meta.llama3-1-70b-instruct - 0.72 - - - 0.72
bedrock meta.llama3-1-8b-instruct-v1:0,meta.llama3-1-8b-instruct - 0.22 - - - 0.22
bedrock meta.llama3-2-11b-instruct-v1:0,meta.llama3-2-11b-instruct - 0.16 - - - 0.16
bedrock meta.llama3-2-1b-instruct-v1:0,meta.llama3-2-1b-instruct - 0.1 - - - 0.1
bedrock meta.llama3-2-3b-instruct-v1:0,meta.llama3-2-3b-instruct - 0.15 - - - 0.15
bedrock meta.llama3-2-90b-instruct-v1:0,meta.llama3-2-90b-instruct - 0.72 - - - 0.72
bedrock meta.llama3-3-70b-instruct-v1:0,meta.llama3-3-70b-instruct - 0.72 - - - 0.72
bedrock meta.llama3-70b-instruct-v1:0,meta.llama3-70b-instruct - 2.65 - - - 3.5
bedrock meta.llama3-8b-instruct-v1:0,meta.llama3-8b-instruct - 0.3 - - - 0.6
bedrock meta.llama4-maverick-17b-instruct-v1:0,meta.llama4-maverick-17b-instruct - 0.24 - - - 0.97
bedrock meta.llama4-scout-17b-instruct-v1:0,meta.llama4-scout-17b-instruct - 0.17 - - - 0.66
bedrock mistral.devstral-2-123b - 0.4 - - - 2
bedrock mistral.magistral-small-2509 - 0.5 - - - 1.5
bedrock mistral.ministral-3-14b-instruct - 0.2 - - - 0.2
bedrock mistral.ministral-3-3b-instruct - 0.1 - - - 0.1
bedrock mistral.ministral-3-8b-instruct - 0.15 - - - 0.15
bedrock mistral.mistral-7b-instruct-v0:2,mistral.mistral-7b-instruct-v0 - 0.15 - - - 0.2
bedrock mistral.mistral-large-2402-v1:0,mistral.mistral-large-2402 - 4 - - - 12
bedrock mistral.mistral-large-3-675b-instruct - 0.5 - - - 1.5
bedrock mistral.mistral-small-2402-v1:0,mistral.mistral-small-2402 - 1 - - - 3
bedrock mistral.mixtral-8x7b-instruct-v0:1,mistral.mixtral-8x7b-instruct-v0 - 0.45 - - - 0.7
bedrock mistral.pixtral-large-2502-v1:0,mistral.pixtral-large-2502 - 2 - - - 6
bedrock mistral.voxtral-mini-3b-2507 - 0.04 - - - 0.04
bedrock mistral.voxtral-small-24b-2507 - 0.1 - - - 0.3
bedrock nvidia.nemotron-nano-3-30b:0,nvidia.nemotron-nano-3-30b - 0.06 - - - 0.24
bedrock nvidia.nemotron-nano-9b-v2:0,nvidia.nemotron-nano-9b-v2 - 0.06 - - - 0.23
bedrock nvidia.nemotron-super-3-120b:0,nvidia.nemotron-super-3-120b - 0.15 - - - 0.65
bedrock openai.gpt-5.4 - 2.75 0.275 - - 16.5
bedrock openai.gpt-5.5 - 5.5 0.55 - - 33
bedrock openai.gpt-oss-120b-1:0,openai.gpt-oss-120b-1 - 0.15 - - - 0.6
bedrock openai.gpt-oss-20b-1:0,openai.gpt-oss-20b-1 - 0.07 - - - 0.3
bedrock qwen.qwen3-32b-v1:0,qwen.qwen3-32b - 0.15 - - - 0.6
bedrock qwen.qwen3-coder-30b-a3b-v1:0,qwen.qwen3-coder-30b-a3b - 0.15 - - - 0.6
bedrock qwen.qwen3-coder-480b-a35b-v1:0,qwen.qwen3-coder-480b-a35b - 0.45 - - - 1.8
bedrock qwen.qwen3-vl-235b-a22b-v1:0,qwen.qwen3-vl-235b-a22b - 0.53 - - - 2.66
bedrock regional.amazon.nova-2-lite-v1:0,us.amazon.nova-2-lite,eu.amazon.nova-2-lite,jp.amazon.nova-2-lite - 0.33 0.0825 - - 2.75
bedrock regional.anthropic.claude-3-5-haiku-20241022-v1:0,claude-3-5-haiku-20241022 - 0.8 0.08 1 - 4
bedrock regional.anthropic.claude-3-5-sonnet-20240620-v1:0,claude-3-5-sonnet-20240620 - 3 0.3 3.75 - 15
bedrock regional.anthropic.claude-3-5-sonnet-20241022-v2:0,claude-3-5-sonnet-20241022 - 3 0.3 3.75 - 15
bedrock regional.anthropic.claude-3-7-sonnet-20250219-v1:0,claude-3-7-sonnet-20250219 - 3 0.3 3.75 - 15
bedrock regional.anthropic.claude-3-haiku-20240307-v1:0,claude-3-haiku-20240307 - 0.25 - - - 1.25
bedrock regional.anthropic.claude-3-opus-20240229-v1:0,claude-3-opus-20240229 - 15 - - - 75
bedrock regional.anthropic.claude-3-sonnet-20240229-v1:0,claude-3-sonnet-20240229 - 3 0.3 3.75 - 15
bedrock regional.anthropic.claude-fable-5-1-v1:0,anthropic.claude-fable-5-1,claude-fable-5-1,anthropic.claude-fable-5-1-v1,claude-fable-5-1-v1,us.anthropic.claude-fable-5-1-v1 - 11 0.275 13.75 - 55
bedrock regional.anthropic.claude-fable-5-v1:0,anthropic.claude-fable-5,claude-fable-5,anthropic.claude-fable-5-v1,claude-fable-5-v1,us.anthropic.claude-fable-5-v1,au.anthropic.claude-fable-5-v1,eu.anthropic.claude-fable-5-v1,jp.anthropic.claude-fable-5-v1 - 11 1.1 13.75 - 55
bedrock regional.anthropic.claude-haiku-4-5-20251001-v1:0,anthropic.claude-haiku-4-5-20251001,claude-haiku-4-5-20251001,us.anthropic.claude-haiku-4-5-20251001,au.anthropic.claude-haiku-4-5-20251001,apac.anthropic.claude-haiku-4-5-20251001,eu.anthropic.claude-haiku-4-5-20251001,us-gov.anthropic.claude-haiku-4-5-20251001,jp.anthropic.claude-haiku-4-5-20251001 - 1.1 0.11 1.375 - 5.5
bedrock regional.anthropic.claude-opus-4-1-20250805-v1:0,anthropic.claude-opus-4-1-20250805,claude-opus-4-1-20250805,us.anthropic.claude-opus-4-1-20250805,au.anthropic.claude-opus-4-1-20250805,apac.anthropic.claude-opus-4-1-20250805,eu.anthropic.claude-opus-4-1-20250805,us-gov.anthropic.claude-opus-4-1-20250805,jp.anthropic.claude-opus-4-1-20250805 - 15 1.5 18.75 - 75
bedrock regional.anthropic.claude-opus-4-20250514-v1:0,anthropic.claude-opus-4-20250514,claude-opus-4-20250514,us.anthropic.claude-opus-4-20250514,au.anthropic.claude-opus-4-20250514,apac.anthropic.claude-opus-4-20250514,eu.anthropic.claude-opus-4-20250514,us-gov.anthropic.claude-opus-4-20250514,jp.anthropic.claude-opus-4-20250514 - 15 1.5 18.75 - 75
bedrock regional.anthropic.claude-opus-4-5-v1:0,anthropic.claude-opus-4-5,claude-opus-4-5,us.anthropic.claude-opus-4-5,au.anthropic.claude-opus-4-5,apac.anthropic.claude-opus-4-5,eu.anthropic.claude-opus-4-5,us-gov.anthropic.claude-opus-4-5,jp.anthropic.claude-opus-4-5 - 5.5 0.55 6.875 - 27.5
bedrock regional.anthropic.claude-opus-4-6-v1:0,anthropic.claude-opus-4-6,claude-opus-4-6,us.anthropic.claude-opus-4-6,au.anthropic.claude-opus-4-6,apac.anthropic.claude-opus-4-6,eu.anthropic.claude-opus-4-6,us-gov.anthropic.claude-opus-4-6,jp.anthropic.claude-opus-4-6 - 5.5 0.55 6.875 - 27.5
bedrock regional.anthropic.claude-opus-4-7-v1:0,anthropic.claude-opus-4-7,claude-opus-4-7,us.anthropic.claude-opus-4-7,au.anthropic.claude-opus-4-7,apac.anthropic.claude-opus-4-7,eu.anthropic.claude-opus-4-7,us-gov.anthropic.claude-opus-4-7,jp.anthropic.claude-opus-4-7 - 5.5 0.55 6.875 - 27.5
bedrock regional.anthropic.claude-opus-4-8-v1:0,anthropic.claude-opus-4-8,claude-opus-4-8,us.anthropic.claude-opus-4-8,au.anthropic.claude-opus-4-8,eu.anthropic.claude-opus-4-8,jp.anthropic.claude-opus-4-8 - 5.5 0.55 6.875 - 27.5
bedrock regional.anthropic.claude-opus-5,anthropic.claude-opus-5,claude-opus-5,anthropic.claude-opus-5-v1,claude-opus-5-v1,us.anthropic.claude-opus-5,au.anthropic.claude-opus-5,eu.anthropic.claude-opus-5,jp.anthropic.claude-opus-5,us.anthropic.claude-opus-5-v1,au.anthropic.claude-opus-5-v1,eu.anthropic.claude-opus-5-v1,jp.anthropic.claude-opus-5-v1 - 5.5 0.55 6.875 - 27.5
bedrock regional.anthropic.claude-opus-5-5,anthropic.claude-opus-5-5,claude-opus-5-5,anthropic.claude-opus-5-5-v1,claude-opus-5-5-v1,us.anthropic.claude-opus-5-5,au.anthropic.claude-opus-5-5,eu.anthropic.claude-opus-5-5,jp.anthropic.claude-opus-5-5,us.anthropic.claude-opus-5-5-v1,au.anthropic.claude-opus-5-5-v1,eu.anthropic.claude-opus-5-5-v1,jp.anthropic.claude-opus-5-5-v1 - 4.4 0.22 5.5 8.8 22
bedrock regional.anthropic.claude-sonnet-4-20250514-v1:0,anthropic.claude-sonnet-4-20250514,claude-sonnet-4-20250514,us.anthropic.claude-sonnet-4-20250514,au.anthropic.claude-sonnet-4-20250514,apac.anthropic.claude-sonnet-4-20250514,eu.anthropic.claude-sonnet-4-20250514,us-gov.anthropic.claude-sonnet-4-20250514,jp.anthropic.claude-sonnet-4-20250514 - 3 0.3 3.75 - 15
bedrock regional.anthropic.claude-sonnet-4-5-20250929-v1:0,anthropic.claude-sonnet-4-5-20250929,claude-sonnet-4-5-20250929,us.anthropic.claude-sonnet-4-5-20250929,au.anthropic.claude-sonnet-4-5-20250929,apac.anthropic.claude-sonnet-4-5-20250929,eu.anthropic.claude-sonnet-4-5-20250929,us-gov.anthropic.claude-sonnet-4-5-20250929,jp.anthropic.claude-sonnet-4-5-20250929 - 3.3 0.33 4.125 - 16.5
bedrock regional.anthropic.claude-sonnet-4-6-v1:0,anthropic.claude-sonnet-4-6,claude-sonnet-4-6,us.anthropic.claude-sonnet-4-6,au.anthropic.claude-sonnet-4-6,apac.anthropic.claude-sonnet-4-6,eu.anthropic.claude-sonnet-4-6,us-gov.anthropic.claude-sonnet-4-6,jp.anthropic.claude-sonnet-4-6 - 3.3 0.33 4.125 - 16.5
bedrock regional.anthropic.claude-sonnet-5-v1:0,anthropic.claude-sonnet-5,claude-sonnet-5,us.anthropic.claude-sonnet-5,au.anthropic.claude-sonnet-5,apac.anthropic.claude-sonnet-5,eu.anthropic.claude-sonnet-5,us-gov.anthropic.claude-sonnet-5,jp.anthropic.claude-sonnet-5 - 2.2 0.22 2.75 - 11
bedrock regional.openai.gpt-5.6-luna,openai.gpt-5.6-luna,gpt-5.6-luna,us.openai.gpt-5.6-luna,in.openai.gpt-5.6-luna - 1.1 0.11 1.375 - 6.6
bedrock regional.openai.gpt-5.6-luna,openai.gpt-5.6-luna,gpt-5.6-luna,us.openai.gpt-5.6-luna,in.openai.gpt-5.6-luna 2026-07-30 0.22 0.022 0.275 - 1.32 > 271999 0.44 0.044 0.55 - 1.98
bedrock regional.openai.gpt-5.6-sol,openai.gpt-5.6-sol,gpt-5.6-sol,us.openai.gpt-5.6-sol - 5.5 0.55 6.875 - 33 > 271999 11 1.1 13.75 - 49.5
bedrock regional.openai.gpt-5.6-sol,openai.gpt-5.6-sol,gpt-5.6-sol,us.openai.gpt-5.6-sol 2026-08-21 4.4 0.44 5.5 - 22 > 271999 8.8 0.88 11 - 33
bedrock regional.openai.gpt-5.6-terra,openai.gpt-5.6-terra,gpt-5.6-terra,us.openai.gpt-5.6-terra,in.openai.gpt-5.6-terra - 2.75 0.275 3.4375 - 16.5
bedrock regional.openai.gpt-5.6-terra,openai.gpt-5.6-terra,gpt-5.6-terra,us.openai.gpt-5.6-terra,in.openai.gpt-5.6-terra 2026-07-30 2.2 0.22 2.75 - 13.2 > 271999 4.4 0.44 5.5 - 19.8
bedrock writer.palmyra-x4-v1:0,writer.palmyra-x4 - 2.5 - - - 10
bedrock writer.palmyra-x5-v1:0,writer.palmyra-x5 - 0.6 - - - 6
`;
