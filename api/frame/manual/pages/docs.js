// The nouns by their Chinese name: Swagger UI shows a tag's name alone, clients take it for the name of a module.
const place = document.getElementById("swagger-ui");

fetch(place.dataset.document)
  .then((answer) => answer.json())
  .then((spec) => {
    const shown = new Map(spec.tags.map((tag) => [tag.name, `${tag["x-displayName"]} ${tag.name}`]));
    spec.tags = spec.tags.map((tag) => ({ ...tag, name: shown.get(tag.name), description: tag.description.split(" · ")[1] }));
    for (const operations of Object.values(spec.paths)) {
      for (const operation of Object.values(operations)) {
        operation.tags = operation.tags.map((tag) => shown.get(tag));
      }
    }
    SwaggerUIBundle({ spec, dom_id: "#swagger-ui", deepLinking: true, docExpansion: "none", defaultModelsExpandDepth: 0 });
  });
