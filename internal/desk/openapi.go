package desk

import (
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

func apiConfig(version string) huma.Config {
	config := huma.DefaultConfig("Ringmaster desk API", version)
	config.Info.Description = "What agents' clients use. Every error is an application/problem+json document (RFC 9457) whose " +
		"`code` is stable; docs/reference/desk-problems.md explains each."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearerScheme: {Type: "http", Scheme: "bearer", Description: "The token of POST /v1/login."},
	}
	// Served below instead: huma renders the document at the first request, unsynchronised, and its schema links and
	// documentation page need paths and scripts of their own.
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil
	config.Transformers = []huma.Transformer{maskResponse}
	// Property order of an object is that of the Go type's fields, and JSON is the only format.
	config.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	return config
}

// serveOpenAPI renders the document once and serves it without sign-in.
func serveOpenAPI(mux *http.ServeMux, api huma.API) error {
	asJSON, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return err
	}
	asYAML, err := api.OpenAPI().YAML()
	if err != nil {
		return err
	}
	serve := func(path, contentType string, document []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(document)
		})
	}
	serve("/openapi.json", "application/openapi+json;version=3.1", asJSON)
	serve("/openapi.yaml", "application/openapi+yaml;version=3.1", asYAML)
	return nil
}
